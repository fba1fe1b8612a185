//! The one minimizer loop: step, judge by the gain ratio, move or retreat, stop?
//!
//! `src/marquardt/solve/reference.py` is the same loop in NumPy; tests hold the two equal step for step.

mod advance;
mod certificate;
mod control;
mod curvature;
mod many;
mod method;
mod model;
mod options;
mod outcome;
mod point;
mod polish;
mod project;
mod rank;
mod rules;
mod scaling;
pub mod spare;
mod spectrum;
mod state;
mod trace;
mod trial;
mod verdict;

pub use many::minimize_many;
pub use options::{Damping, Method, Options, Scaling};
pub use outcome::{Control, Outcome, Progress, Reason, Status};
pub use trace::{Row, Step, Trace, Verdict};

use crate::evaluate::{Evaluate, Failure};
use point::Point;
use rank::Rank;
use state::{Exit, Loop};

/// Scaling and first radius of the attempts after a first that failed. Of 71 fits of the NIST problems that failed from
/// random starts (217 tried) the careful radius saved 18; the other scaling saves problems with far starts (Beale, Bard,
/// Biggs from 100 times the standard start).
const ATTEMPTS: [(Option<Scaling>, f64); 2] = [(None, 0.003), (Some(Scaling::Mix), 0.001)];

/// Minimize half the sum of squared residuals over the box lower <= x <= upper, from x0 (clipped into it),
/// where the residuals must be finite. With `options.retry` a search that stalls, runs away or loses parameters that had
/// an effect at the start is begun again, more carefully, with what is left of `options.max_evaluations`; the best end
/// is returned, the counts are those of all.
/// The first attempt projects linear parameters out; those after it do not (of 972 fits of the NIST problems from
/// random starts 777 succeed so, 773 with projection in all, and the joint search alone takes twice the evaluations).
pub fn minimize(
    problem: &mut dyn Evaluate,
    x0: &[f64],
    lower: &[f64],
    upper: &[f64],
    options: &Options,
    observe: &mut dyn FnMut(&Progress) -> Control,
) -> Result<Outcome, Failure> {
    let mut best = search(problem, x0, lower, upper, options, true, observe)?;
    let turned = best.projected && has_turned(&project::linear(problem, lower, upper), x0, &best.x);
    let jointly = turned.then(|| options.clone());
    let careful = ATTEMPTS.iter().map(|&(scaling, radius)| Options {
        scaling: scaling.or(options.scaling),
        radius_factor: Some(radius),
        ..options.clone()
    });
    let mut whole = None;
    for (k, mut again) in jointly.into_iter().chain(careful).enumerate() {
        again.max_evaluations = options.max_evaluations.map(|most| most.saturating_sub(best.njev));
        if !options.retry || again.max_evaluations == Some(0) {
            break;
        }
        if best.status == Status::NotUnique && whole.is_none() {
            whole = Some(rank_at(problem, x0, (lower, upper))?);
            (best.nfev, best.njev) = (best.nfev + 1, best.njev + 1);
        }
        let lost = best.status == Status::NotUnique && whole > Some(best.rank);
        if !(turned && k == 0 || best.has_failed() || lost) {
            break;
        }
        let (nfev, njev) = (best.nfev, best.njev);
        let mut all = |p: &Progress| observe(&Progress { nfev: nfev + p.nfev, njev: njev + p.njev, ..*p });
        match search(problem, x0, lower, upper, &again, false, &mut all) {
            Err(Failure::Interrupted) => best.interrupt(),
            end => best = best.or_better(end?),
        }
    }
    Ok(best)
}

/// How many parameters the residuals tell apart at the start. Where an end tells fewer, the search lost some on its way:
/// a peak may have become a spike between two points, with nothing left to pull it back.
fn rank_at(
    problem: &mut dyn Evaluate,
    x0: &[f64],
    (lower, upper): (&[f64], &[f64]),
) -> Result<usize, Failure> {
    let mut start = Point::new(problem);
    start.x = (0..x0.len()).map(|j| x0[j].max(lower[j]).min(upper[j])).collect();
    problem.residuals(&start.x, &mut start.f)?;
    problem.linearize(&start.x, &start.f, &mut start.linearization)?;
    let rank = Rank::of(&start.linearization, start.threshold()).rank;
    start.recycle();
    Ok(rank)
}

/// Has a linear parameter another sign than its start? Projected out it is free to turn, and a mirrored minimum may
/// follow: of 360 fits of textbook curves from starts half a decade off 328 end at the best minimum, 337 where these
/// are searched jointly as well.
fn has_turned(linear: &[usize], x0: &[f64], x: &[f64]) -> bool {
    let solved_at_once = linear.len() == x.len();
    !solved_at_once && linear.iter().any(|&j| x0[j] * x[j] < 0.0)
}

impl Outcome {
    /// Another attempt may end elsewhere: this one ran away, or stalled far from a minimum.
    fn has_failed(&self) -> bool {
        self.status == Status::Runaway || self.status == Status::Stalled && self.offset > CLOSE
    }
}

/// A stall with a relative offset below this is the neighborhood of a minimum: another attempt would end there too.
const CLOSE: f64 = 1e-3;

fn search(
    problem: &mut dyn Evaluate,
    x0: &[f64],
    lower: &[f64],
    upper: &[f64],
    options: &Options,
    project: bool,
    observe: &mut dyn FnMut(&Progress) -> Control,
) -> Result<Outcome, Failure> {
    let linear = if project { project::linear(problem, lower, upper) } else { Vec::new() };
    let mut state = Loop::new(problem, x0, lower, upper, options, observe);
    let started = state.start(x0);
    if linear.is_empty() || started.is_err() || state.is_near() {
        let exit = started.and_then(|()| descend(&mut state));
        return conclude(state, exit);
    }
    let first = std::mem::take(&mut state.here.linearization);
    drop(state);
    let head = project::search(problem, (linear, first), x0, (lower, upper), options, observe)?;
    let mut state = Loop::new(problem, x0, lower, upper, options, observe);
    let exit = match head {
        None => state.start(x0).and_then(|()| descend(&mut state)),
        Some(head) => {
            let interrupted = head.interrupted;
            state.take_over(head);
            if interrupted { Err(Exit::Stopped) } else { descend(&mut state) }
        }
    };
    conclude(state, exit)
}

fn conclude(state: Loop, exit: Result<(), Exit>) -> Result<Outcome, Failure> {
    match exit {
        Ok(()) => Ok(state.conclude(false)),
        Err(Exit::Stopped) if state.started() => Ok(state.conclude(true)),
        Err(Exit::Stopped) => Err(Failure::Interrupted),
        Err(Exit::Failed(failure)) => Err(failure),
    }
}

fn descend(state: &mut Loop) -> Result<(), Exit> {
    loop {
        while !state.certified() && state.within_budget() && state.advance()? {}
        state.return_to_lowest()?;
        if state.strategy.polish {
            state.polish()?;
        }
        if !state.look_around()? {
            return Ok(());
        }
    }
}
