//! Variable projection: the search goes on in the parameters that are not linear, its end is handed over to the joint
//! problem, which judges it.

use super::outcome::{Control, Progress, Reason};
use super::scaling::Scales;
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
    pub size: f64,
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

/// A start from which the undamped step moves the parameters by at most this part, in the norm of D, is as well
/// searched from in all of them: the points are as many there, and a projected one takes two passes over the data
/// (Gauss1 from its first start 69 us, jointly 53; 20 points of a decay 17 and 13). At 0.3, 0.8, 1 and 3 as many fits of
/// NIST and textbook curves from random starts succeed; NIST's own starts take 1,052 evaluations at 0.8, 1,108 at 1.
const NEAR: f64 = 1.0;

/// The linear parameters that may be projected out.
pub fn linear(problem: &dyn Evaluate, lower: &[f64], upper: &[f64]) -> Vec<usize> {
    let unbounded = |&j: &usize| lower[j] == f64::NEG_INFINITY && upper[j] == f64::INFINITY;
    problem.linear().iter().copied().filter(unbounded).collect()
}

impl Loop<'_> {
    /// Does the undamped step lead nowhere far?
    pub fn is_near(&mut self) -> bool {
        self.propose(false, self.strategy.rule, f64::INFINITY);
        self.trial.size <= NEAR * self.reach()
    }

    /// Begin where another search ended, with what it knows.
    pub fn take_over(&mut self, head: Head) {
        let there = &mut self.there;
        (there.x, there.f, there.linearization) = (head.x, head.f, head.linearization);
        there.digest(self.lower, self.upper);
        (self.rows, self.live, self.first_live) = (head.rows, head.live, head.first_live);
        (self.there_rss, there.size) = (head.rss, head.size);
        self.scales = Scales::start(&self.there, self.lower, self.upper);
        for (size, first) in self.scales.first.iter_mut().zip(&head.first).filter(|(_, x)| **x != 0.0) {
            *size = first.abs();
        }
        self.arrive();
        self.trace = head.trace; // which has this point already
        (self.before, self.n_accepted) = ((head.nfev, head.njev), head.n_accepted);
        self.budget = self.budget.saturating_sub(head.njev);
        self.restart();
    }

    /// The end of a search in part of the parameters; x and its linearization are left to the caller.
    pub fn hand_over(self, interrupted: bool) -> (Head, Vec<f64>) {
        self.there.recycle();
        let head = Head {
            x: Vec::new(),
            first: Vec::new(),
            f: self.here.f,
            linearization: Linearization::default(),
            rss: self.here_rss,
            size: self.here.size,
            rows: self.rows,
            live: self.live,
            first_live: self.first_live,
            nfev: self.nfev,
            njev: self.njev,
            n_accepted: self.n_accepted,
            trace: self.trace,
            interrupted,
        };
        (head, self.here.x)
    }
}

/// Search with linear parameters projected out, given with the joint linearization at x0. `None`: the residuals are
/// not finite with these at their best.
pub fn search(
    problem: &mut dyn Evaluate,
    (linear, at_start): (Vec<usize>, Linearization),
    x0: &[f64],
    (lower, upper): (&[f64], &[f64]),
    options: &Options,
    observe: &mut dyn FnMut(&Progress) -> Control,
) -> Result<Option<Head>, Failure> {
    let mut projected = Projected::new(problem, linear, x0, at_start);
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
    if !state.here.is_finite() || !state.here.residuals_are_finite() {
        return Ok(());
    }
    while !state.certified() && state.within_budget() && state.advance()? {}
    if state.strategy.polish && state.reason != Reason::Budget {
        state.polish()?;
    }
    Ok(())
}
