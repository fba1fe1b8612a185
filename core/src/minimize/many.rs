//! Many starts of one problem, each thread with a copy of it.

use std::sync::Mutex;

use super::{Control, Options, Outcome, Progress, minimize};
use crate::evaluate::jobs::share;
use crate::evaluate::{Evaluate, Failure};

/// Minimizes from each of `starts` (points of n parameters, one after the other) as `minimize` does; `problems` are
/// equal copies, one for each thread that is wanted. Which of them does what makes no difference, so the ends, in the
/// order of the starts, do not depend on the number of threads. Where `stopped` turns true the runs end early.
pub fn minimize_many<E: Evaluate + Send>(
    problems: Vec<E>,
    starts: &[f64],
    lower: &[f64],
    upper: &[f64],
    options: &Options,
    stopped: &(dyn Fn() -> bool + Sync),
) -> Vec<Result<Outcome, Failure>> {
    let n = lower.len().max(1);
    let ends = Mutex::new(Vec::with_capacity(starts.len() / n));
    let threads = problems.len();
    let mut workers: Vec<Option<E>> = problems.into_iter().map(Some).collect();
    share(threads, &mut workers, starts.chunks_exact(n), |k, x0, worker| {
        let Some(problem) = worker else { return };
        let mut observe = |_: &Progress<'_>| if stopped() { Control::Stop } else { Control::Continue };
        let end = minimize(problem, x0, lower, upper, options, &mut observe);
        if let Ok(mut ends) = ends.lock() {
            ends.push((k, end));
        }
    });
    let mut ends = ends.into_inner().unwrap_or_default();
    ends.sort_by_key(|(k, _)| *k);
    ends.into_iter().map(|(_, end)| end).collect()
}
