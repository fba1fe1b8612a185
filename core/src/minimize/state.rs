//! What the minimizer remembers from one Jacobian to the next.

use super::control::Start;
use super::method::{Models, Strategy};
use super::model::Model;
use super::options::Options;
use super::outcome::{Control, Progress, Reason};
use super::point::Point;
use super::rules::StepRule;
use super::scaling::Scales;
use super::trace::{Row, Step, Trace, Verdict};
use super::trial::Trial;
use crate::evaluate::reduction::Reduction;
use crate::evaluate::{Evaluate, Failure};

/// Up to so many parameters exact Hessians are worth their cost.
const NEWTON_LIMIT: usize = 32;

/// What was found around a stationary point.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Direction along which the cost falls although the gradient vanishes.
    pub descent: Vec<f64>,
    /// The residuals change in steps where the Jacobian says that they do not change.
    pub jumps: bool,
    /// Parameters without effect here that have one elsewhere.
    pub lost: Vec<usize>,
    /// The full Hessian is positive definite.
    pub strict: bool,
    /// |D p| / |D s| of Newton's step, s the magnitudes of x, where it is as small as rounding errors of x.
    pub newton_step: Option<f64>,
}

pub enum Exit {
    Stopped,
    Failed(Failure),
}

impl From<Failure> for Exit {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Interrupted => Exit::Stopped,
            broken => Exit::Failed(broken),
        }
    }
}

pub struct Loop<'a> {
    pub problem: &'a mut dyn Evaluate,
    pub lower: &'a [f64],
    pub upper: &'a [f64],
    pub options: &'a Options,
    pub strategy: Strategy,
    observe: &'a mut dyn FnMut(&Progress) -> Control,
    /// The best point, and the one being tried.
    pub here: Point,
    pub there: Point,
    pub here_rss: f64,
    pub there_rss: f64,
    /// `there` has its linearization already; the next trial is likely to be accepted.
    linearized: bool,
    hopeful: bool,
    pub scales: Scales,
    /// Gauss-Newton model at `here`.
    pub gauss_newton: Model,
    /// Newton's, as last made.
    second: Model,
    /// |Q1'f| at `here` over the free parameters.
    pub explained: f64,
    /// sum f_i H_i at `here`, once asked for: `Some(false)` where it cannot be had.
    pub hessian: Vec<f64>,
    pub hessian_known: Option<bool>,
    pub trial: Trial,
    /// J'f_vv.
    pub push: Vec<f64>,
    /// Last |D a| / |D v|, and whether this trial was bent.
    pub bend: f64,
    pub bent: bool,
    pub newton: bool,
    /// Rows that depend on x, as far as seen; their sum of squares at `here` and at the last trial.
    pub rows: usize,
    pub live: f64,
    pub after: f64,
    /// Of the start.
    pub first_live: f64,
    /// Of |Q1'f| by the last undamped step.
    pub contraction: f64,
    pub budget: usize,
    /// What ended the search.
    pub reason: Reason,
    /// Lowest rss met, with its point, by a method that also goes uphill.
    lowest: Option<(f64, Vec<f64>)>,
    /// What was found around `here`.
    pub around: Surroundings,
    pub escapes: usize,
    pub nfev: usize,
    pub njev: usize,
    pub n_accepted: usize,
    /// Residual and Jacobian evaluations of the search that led to the start.
    pub before: (usize, usize),
    pub trace: Trace,
    row: Row,
    /// All parameters of a point, those projected out included.
    all: Vec<f64>,
    /// Scaled gradient and relative offset of `here`, when last asked for.
    pub seen: (f64, f64),
}

impl<'a> Loop<'a> {
    pub fn new(
        problem: &'a mut dyn Evaluate,
        x0: &[f64],
        lower: &'a [f64],
        upper: &'a [f64],
        options: &'a Options,
        observe: &'a mut dyn FnMut(&Progress) -> Control,
    ) -> Self {
        let n = problem.n_params();
        assert!(x0.len() == n && lower.len() == n && upper.len() == n, "lengths of x0, lower, upper");
        let trace = Trace::new(options.trace, problem.n_all());
        let (here, there) = (Point::new(problem), Point::new(problem));
        Loop {
            problem,
            lower,
            upper,
            options,
            strategy: Strategy::of(options),
            observe,
            here,
            there,
            here_rss: 0.0,
            there_rss: 0.0,
            linearized: false,
            hopeful: true,
            scales: Scales::default(),
            gauss_newton: Model::default(),
            second: Model::default(),
            push: vec![0.0; n],
            explained: 0.0,
            hessian: Vec::new(),
            hessian_known: None,
            trial: Trial::default(),
            bend: f64::INFINITY,
            bent: false,
            newton: false,
            rows: 0,
            live: 0.0,
            after: 0.0,
            first_live: 0.0,
            contraction: 1.0,
            budget: options.max_evaluations.unwrap_or(100 * (n + 1)),
            reason: Reason::Certified,
            lowest: None,
            around: Surroundings::default(),
            escapes: 0,
            nfev: 0,
            njev: 0,
            n_accepted: 0,
            before: (0, 0),
            trace,
            row: Row::default(),
            all: Vec::new(),
            seen: (f64::NAN, f64::NAN),
        }
    }

    /// The first point and its linearization.
    pub fn start(&mut self, x0: &[f64]) -> Result<(), Exit> {
        for j in 0..x0.len() {
            self.there.x[j] = x0[j].max(self.lower[j]).min(self.upper[j]);
        }
        let there = &mut self.there;
        let (first, linearized) =
            self.problem.compare(&there.x, None, &mut there.f, Some(&mut there.linearization))?;
        self.nfev = 1;
        self.linearized = linearized;
        self.linearize()?;
        (self.live, self.there_rss, self.there.size) = (first.total, first.total, first.total.sqrt());
        self.scales = Scales::start(&self.there, self.lower, self.upper);
        self.arrive();
        self.restart();
        self.report()
    }

    /// Let the control begin at the best point.
    pub fn restart(&mut self) {
        let diagonal = self.here.norms.iter().zip(&self.scales.d).map(|(c, d)| (c / d) * (c / d));
        let start = Start { reach: self.reach(), diagonal: diagonal.fold(0.0, f64::max) };
        self.strategy.control.start(&start);
        (self.newton, self.bend) = (false, f64::INFINITY);
    }

    /// |D s|, s the magnitudes of x.
    pub fn reach(&self) -> f64 {
        let scaled = self.scales.d.iter().zip(&self.scales.magnitude).map(|(d, s)| (d * s) * (d * s));
        scaled.sum::<f64>().sqrt()
    }

    pub fn started(&self) -> bool {
        !self.scales.d.is_empty() || self.here.n() == 0
    }

    fn linearize(&mut self) -> Result<(), Exit> {
        let there = &mut self.there;
        if !self.linearized {
            self.problem.linearize(&there.x, &there.f, &mut there.linearization)?;
        }
        self.linearized = false;
        there.digest(self.lower, self.upper);
        self.njev += 1;
        Ok(())
    }

    /// Linearize the trial point and make it the best point; false where its Jacobian is not finite.
    pub fn go_there(&mut self) -> Result<bool, Exit> {
        self.linearize()?;
        if !self.there.is_finite() {
            return Ok(false);
        }
        self.arrive();
        Ok(true)
    }

    /// Swap the two points and build the Gauss-Newton model at the new best one.
    pub fn arrive(&mut self) {
        std::mem::swap(&mut self.here, &mut self.there);
        std::mem::swap(&mut self.here_rss, &mut self.there_rss);
        self.hopeful = true;
        self.hessian_known = None;
        self.around = Surroundings::default();
        self.scales.follow(&self.here, self.strategy.scaling);
        self.gauss_newton.gauss_newton(&self.here, &self.scales.d);
        self.explained = self.gauss_newton.explained(&self.here);
        self.trace.arrive(self.problem, &self.here, &self.scales.d);
    }

    /// Keep the best point in mind before a step uphill.
    pub fn remember(&mut self) {
        if self.lowest.as_ref().is_none_or(|(rss, _)| self.here_rss < *rss) {
            self.lowest = Some((self.here_rss, self.here.x.clone()));
        }
    }

    /// Go back to the best point met, where rss is lower by more than its rounding.
    pub fn return_to_lowest(&mut self) -> Result<(), Exit> {
        if let Some((rss, x)) = self.lowest.take()
            && self.here_rss - rss > 1e-10 * self.live
        {
            if self.reason == Reason::Certified {
                self.reason = Reason::Diverged; // where it arrived is no minimum worth the name
            }
            self.there.x = x; // as a step from far away it would be rounded
            self.evaluate_there()?;
            self.go_there()?;
            self.live = self.after;
        }
        Ok(())
    }

    /// Residuals at here + trial.v, into `there`; linearized in the same pass where the last trial was accepted.
    pub fn evaluate_trial(&mut self) -> Result<Reduction, Exit> {
        for j in 0..self.here.n() {
            self.there.x[j] = (self.here.x[j] + self.trial.v[j]).max(self.lower[j]).min(self.upper[j]);
        }
        self.evaluate_there()
    }

    /// The same off the path: what is known of the rows that depend on x stays as it is.
    pub fn probe(&mut self) -> Result<(), Exit> {
        let known = (self.rows, self.first_live, self.live, self.after);
        self.evaluate_trial()?;
        (self.rows, self.first_live, self.live, self.after) = known;
        Ok(())
    }

    fn evaluate_there(&mut self) -> Result<Reduction, Exit> {
        let there = &mut self.there;
        let hopeful = self.hopeful.then_some(&mut there.linearization);
        let (change, linearized) =
            self.problem.compare(&there.x, Some(&self.here.f), &mut there.f, hopeful)?;
        (self.linearized, self.hopeful) = (linearized, false);
        self.nfev += 1;
        (self.there_rss, there.size) = (change.total, change.total.sqrt());
        if !change.actual.is_finite() {
            return Ok(change);
        }
        if self.rows == 0 {
            self.first_live = change.before;
        }
        if change.rows >= self.rows {
            (self.rows, self.live, self.after) = (change.rows, change.before, change.after);
        } else {
            self.after = (self.live - change.actual).max(change.after); // rounding could make it negative
        }
        Ok(change)
    }

    /// Is the exact Hessian at the best point to be had for steps? It is in `hessian` then.
    pub fn second_order(&mut self) -> Result<bool, Exit> {
        if self.strategy.models == Models::GaussNewton {
            return Ok(false);
        }
        self.find_hessian()
    }

    /// Make sure `hessian` holds sum f_i H_i at the best point; false where it cannot be had.
    pub fn find_hessian(&mut self) -> Result<bool, Exit> {
        let n = self.here.n();
        if n > NEWTON_LIMIT {
            return Ok(false);
        }
        if let Some(known) = self.hessian_known {
            return Ok(known);
        }
        self.hessian.resize(n * n, 0.0);
        let found = self.problem.residual_hessian(&self.here.x, &self.here.f, &mut self.hessian)?;
        let known = found && self.hessian.iter().all(|h| h.is_finite());
        self.hessian_known = Some(known);
        Ok(known)
    }

    /// The same, where it is no approximation.
    pub fn find_exact_hessian(&mut self) -> Result<bool, Exit> {
        Ok(!self.problem.approximates_hessian() && self.find_hessian()?)
    }

    /// J'f_vv along the trial step, into `push`; false where it cannot be had.
    pub fn curvature(&mut self) -> Result<bool, Exit> {
        let found =
            self.problem.curvature_along(&self.here.x, &self.here.f, &self.trial.v, &mut self.push)?;
        Ok(found && self.push.iter().all(|p| p.is_finite()))
    }

    /// Propose a step by a rule, within a limit.
    pub fn propose(&mut self, newton: bool, rule: StepRule, limit: f64) {
        let (here, d, lower, upper) = (&self.here, &self.scales.d, self.lower, self.upper);
        let model = if newton { &mut self.second } else { &mut self.gauss_newton };
        if newton {
            model.newton(here, &self.hessian, d);
        }
        self.bent = false;
        let longest = rule.whole_within.map(|slack| slack * limit);
        if !longest.is_some_and(|longest| self.trial.whole(here, model, d, longest, lower, upper)) {
            let s = newton.then_some(&self.hessian[..]);
            self.trial.propose(here, model.spectrum(here, d, newton), s, d, (rule, limit), lower, upper);
        }
    }

    pub fn report(&mut self) -> Result<(), Exit> {
        let cost = 0.5 * self.here_rss;
        self.problem.widen(&self.here.x, &mut self.all);
        let (nfev, njev) = (self.before.0 + self.nfev, self.before.1 + self.njev);
        let progress = Progress { nfev, njev, cost, x: &self.all };
        match (self.observe)(&progress) {
            Control::Continue => Ok(()),
            Control::Stop => Err(Exit::Stopped),
        }
    }

    /// What is known before the trial just proposed.
    pub fn begin_row(&mut self) {
        if !self.options.trace {
            return;
        }
        let (gradient, offset) = self.seen;
        self.row = Row {
            iteration: self.trace.jacobians,
            cost: 0.5 * self.here_rss,
            trial_cost: f64::NAN,
            actual: f64::NAN,
            radius: self.strategy.control.radius(),
            offset,
            gradient,
            ..self.row
        };
    }

    /// Evaluate the trial and note what it gave; returns the actual reduction of rss.
    pub fn try_row(&mut self) -> Result<f64, Exit> {
        let actual = self.evaluate_trial()?.actual;
        (self.row.trial_cost, self.row.actual) = (0.5 * self.there_rss, 0.5 * actual);
        if self.options.trace && self.nfev == 2 {
            self.row.offset = self.offset(); // only a first trial shows which rows depend on x
        }
        Ok(actual)
    }

    pub fn record(&mut self, kind: Step, verdict: Verdict) {
        self.n_accepted += usize::from(verdict == Verdict::Accepted);
        let (trial, row) = (&self.trial, &mut self.row);
        (row.kind, row.verdict) = (kind, verdict);
        (row.predicted, row.damping, row.step) = (0.5 * trial.predicted, trial.damping, trial.size);
        if !self.options.trace {
            return;
        }
        match verdict {
            Verdict::Bent => {
                let tried: Vec<f64> = self.here.x.iter().zip(&trial.v).map(|(x, v)| x + v).collect();
                self.problem.widen(&tried, &mut self.all);
            }
            Verdict::Accepted => self.problem.widen(&self.here.x, &mut self.all),
            _ => self.problem.widen(&self.there.x, &mut self.all),
        }
        self.trace.push(&self.row, &self.all);
    }
}
