//! Variable projection: the search goes on in the parameters that are not linear, its end is handed over to the joint
//! problem, which judges it.

use super::outcome::{Control, Progress, Reason};
use super::state::{Exit, Loop};
use super::trace::Trace;
use super::{Failure, Options};
use crate::evaluate::projected::Projected;
use crate::evaluate::{Evaluate, Linearization};

/// Where a search in part of the parameters ended.
pub struct Head {
    /// All parameters, with the residuals and their joint linearization.
    pub x: Vec<f64>,
    pub f: Vec<f64>,
    pub linearization: Linearization,
    /// All parameters at the start.
    pub first: Vec<f64>,
    pub rss: f64,
    /// What it has learnt of the rows that depend on x.
    pub rows: usize,
    pub live: f64,
    pub first_live: f64,
    pub nfev: usize,
    pub njev: usize,
    pub n_accepted: usize,
    pub trace: Trace,
    pub interrupted: bool,
}

/// Search with the linear parameters projected out. `None`: there are none, or the residuals are not finite at x0.
pub fn search_projected(
    problem: &mut dyn Evaluate,
    x0: &[f64],
    (lower, upper): (&[f64], &[f64]),
    options: &Options,
    observe: &mut dyn FnMut(&Progress) -> Control,
) -> Result<Option<Head>, Failure> {
    let unbounded = |&j: &usize| lower[j] == f64::NEG_INFINITY && upper[j] == f64::INFINITY;
    let linear: Vec<usize> = problem.linear().iter().copied().filter(unbounded).collect();
    if linear.is_empty() {
        return Ok(None);
    }
    let mut projected = Projected::new(problem, &linear, x0);
    let (x, lower, upper) = (projected.pick(x0), projected.pick(lower), projected.pick(upper));
    let mut state = Loop::new(&mut projected, &x, &lower, &upper, options, observe);
    let started = state.start(&x);
    let mut first = Vec::new();
    state.problem.widen(&state.here.x, &mut first);
    let interrupted = match started.and_then(|()| descend(&mut state)) {
        Ok(()) => false,
        Err(Exit::Stopped) if state.started() => true,
        Err(Exit::Stopped) => return Err(Failure::Interrupted),
        Err(Exit::Failed(failure)) => return Err(failure),
    };
    let (mut head, x) = state.hand_over(interrupted);
    Ok(projected.at(&x).filter(|_| head.rss.is_finite()).map(|(x, linearization)| {
        (head.x, head.linearization, head.first) = (x, linearization, first);
        head
    }))
}

fn descend(state: &mut Loop) -> Result<(), Exit> {
    if !state.here.is_finite() || !state.here.f.iter().all(|f| f.is_finite()) {
        return Ok(());
    }
    while !state.certified() && state.within_budget() && state.advance()? {}
    if state.strategy.polish && state.reason != Reason::Budget {
        state.polish()?;
    }
    Ok(())
}
