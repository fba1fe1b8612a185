//! The one minimizer loop: step, judge by the gain ratio, move or retreat, stop?
//!
//! `src/marquardt/solve/reference.py` is the same loop in NumPy; tests hold the two equal step for step.

mod advance;
mod certificate;
mod control;
mod curvature;
mod method;
mod model;
mod options;
mod outcome;
mod point;
mod polish;
mod rank;
mod rules;
mod scaling;
pub mod spare;
mod spectrum;
mod state;
mod trace;
mod trial;
mod verdict;

pub use options::{Damping, Method, Options, Scaling};
pub use outcome::{Control, Outcome, Progress, Reason, Row, Status, Step, Verdict};
pub use trace::Trace;

use crate::evaluate::{Evaluate, Failure};
use state::{Exit, Loop};

/// Minimize half the sum of squared residuals over the box lower <= x <= upper, from x0 (clipped into it),
/// where the residuals must be finite.
pub fn minimize(
    problem: &mut dyn Evaluate,
    x0: &[f64],
    lower: &[f64],
    upper: &[f64],
    options: &Options,
    observe: &mut dyn FnMut(&Progress) -> Control,
) -> Result<Outcome, Failure> {
    let mut state = Loop::new(problem, x0, lower, upper, options, observe);
    let exit = state.start(x0).and_then(|()| descend(&mut state));
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
