//! Levenberg-Marquardt in lanes: the textbook's loop, with a choice in each lane where the loop of one fit branches.

use pulp::{Simd, WithSimd};

use super::normal::{factorize, invert, solve};
use super::{LaneModel, Row, Sums, WIDTH};
use crate::tape::Level;

/// How a fit ended in its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Converged,
    /// With a parameter at a bound that holds it.
    AtBound,
    /// Not certified here: to be made on the dense QR path, from its start.
    Doubtful,
}

/// First damping, of columns of length one: spots, decays and logistic curves take 5.9, 4.9 and 8.4 evaluations on average;
/// 6.0, 5.0 and 8.8 with 1e-3, 6.0, 5.0 and 9.8 with 1e-4.
const DAMPING: f64 = 1e-2;
/// A step is taken from this part of the predicted reduction on.
const ACCEPT: f64 = 1e-4;
/// How long the last step may be, in standard errors: it is still taken, and leaves `FAST` of itself at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Precision {
    /// 1e-3 of a standard error.
    Double,
    /// 5e-3, with 7 to 13 % fewer evaluations: 1e-3 of a standard error is left. (3e-2 takes 14 to 22 % fewer, but
    /// standard errors of one logistic in 600 are off by more than 1 %, up to 5 %.)
    Single,
}

impl Precision {
    fn last_step(self) -> f64 {
        match self {
            Precision::Double => 1e-3,
            Precision::Single => 5e-3,
        }
    }
}

/// Of the step before, the last one is this part at most.
const FAST: f64 = 0.2;
/// Where undamped steps shrink more slowly than that, the last one is so short.
const SHORT: f64 = 1e-6;
/// Standard errors are at least this part of the response: of exact data they are 0.
const EXACT: f64 = 1e-12;
/// Smallest pivot of the normal matrix with columns of length one: 1e-9 is a condition of about 3e4 of J.
const PIVOT: f64 = 1e-9;
/// A bound holds a parameter where the undamped step would go beyond it by so many times the last step, in standard
/// errors: far more than that one may still change.
const FORCE: f64 = 30.0;
/// Evaluations after which a fit is in doubt: who wanders that long may end in another minimum than the search of a single
/// fit. (With 20 instead of 25, 0.4 % of the logistic curves are made twice, with 25 0.02 %.)
const PATIENCE: f64 = 25.0;
/// So many standard errors from zero a parameter has a sign. Where that is not the sign of its start, the curve may be
/// mirrored: of 10,008 fits of textbook and NIST curves 54 ended elsewhere than a single fit, with this and the limit of
/// evaluations one.
const SIGN: f64 = 5.0;

/// A group of fits on their way.
pub struct Lanes {
    p: usize,
    last_step: f64,
    x: Vec<Row>,
    trial: Vec<Row>,
    start: Vec<Row>,
    lower: Vec<Row>,
    upper: Vec<Row>,
    /// At `x`, and at `trial`.
    here: Sums,
    there: Sums,
    damping: Row,
    growth: Row,
    /// Reduction of the cost that the step to `trial` promises.
    predicted: Row,
    /// Square of the undamped step at `x` in standard errors, and at the point before.
    step: Row,
    before: Row,
    /// 1 before the first evaluation.
    fresh: Row,
    nfev: Row,
    /// Points less parameters, and what half the sum of squares is at least taken for.
    dof: Row,
    floor: Row,
    /// Variance of a residual: 1 for counts, else estimated.
    noise: Row,
    likely: bool,
    /// 1 where the model foresaw what the last step did that can be told from rounding errors.
    foreseen: Row,
    /// 1 where the fit has converged, 2 where it has at a bound, 3 where it is in doubt.
    ended: Row,
    /// 1 where a parameter may move, 0 where a bound holds it.
    free: Vec<Row>,
    /// The undamped step and the factor it came from.
    whole: Vec<Row>,
    factor: Vec<Row>,
    scratch: Scratch,
}

#[derive(Default)]
struct Scratch {
    /// The normal matrix of the parameters that move.
    reduced: Vec<Row>,
    damped: Vec<Row>,
    step: Vec<Row>,
    room: Vec<Row>,
}

/// What a fit begins with.
pub struct Start<'a> {
    pub x: &'a [f64],
    pub lower: &'a [f64],
    pub upper: &'a [f64],
    pub n_points: usize,
    /// Sum of squares of the weighted response.
    pub squares: f64,
}

/// Where a fit ended.
pub struct End<'a> {
    pub verdict: Verdict,
    pub cost: f64,
    /// Sum of squares, or Pearson's chi-square.
    pub rss: f64,
    pub nfev: u32,
    /// Of the parameters, (J'J)^-1: lower triangle by rows, NaN where a bound holds a parameter.
    pub covariance: &'a [f64],
}

impl Lanes {
    /// For p parameters, of counts where `likely`.
    pub fn new(p: usize, precision: Precision, likely: bool) -> Self {
        let rows = |n| vec![Row::default(); n];
        let triangle = p * (p + 1) / 2;
        let scratch =
            Scratch { reduced: rows(triangle), damped: rows(triangle), step: rows(p), room: rows(p) };
        Lanes {
            p,
            last_step: precision.last_step(),
            x: rows(p),
            trial: rows(p),
            start: rows(p),
            lower: rows(p),
            upper: rows(p),
            here: Sums::new(p),
            there: Sums::new(p),
            damping: Row::default(),
            growth: Row::default(),
            predicted: Row::default(),
            step: Row::default(),
            before: Row::default(),
            fresh: Row::default(),
            nfev: Row::default(),
            dof: Row([1.0; WIDTH]),
            floor: Row::default(),
            noise: Row::default(),
            likely,
            foreseen: Row::default(),
            ended: Row::default(),
            free: rows(p),
            whole: rows(p),
            factor: rows(triangle),
            scratch,
        }
    }

    /// Put a fit into a lane; false where it is in doubt before it begins.
    pub fn begin(&mut self, lane: usize, start: &Start) -> bool {
        if start.n_points <= self.p || !start.x.iter().all(|x| x.is_finite()) {
            return false;
        }
        for j in 0..self.p {
            let (low, high) = (start.lower[j], start.upper[j]);
            (self.lower[j].0[lane], self.upper[j].0[lane]) = (low, high);
            self.trial[j].0[lane] = start.x[j].max(low).min(high);
            self.start[j].0[lane] = self.trial[j].0[lane];
        }
        self.fresh.0[lane] = 1.0;
        self.foreseen.0[lane] = 1.0;
        self.nfev.0[lane] = 0.0;
        self.damping.0[lane] = DAMPING;
        self.growth.0[lane] = 2.0;
        self.before.0[lane] = f64::INFINITY;
        self.step.0[lane] = f64::INFINITY;
        self.dof.0[lane] = (start.n_points - self.p) as f64;
        self.floor.0[lane] = 0.5 * EXACT * EXACT * start.squares + f64::MIN_POSITIVE;
        true
    }

    /// One evaluation and what follows from it in every lane; lanes that ended are to be asked for with `end`.
    pub fn advance(&mut self, level: Level, model: &mut dyn LaneModel) {
        model.evaluate(level, &self.trial, &mut self.there);
        level.run(Advance { lanes: self });
    }

    pub fn has_ended(&self, lane: usize) -> bool {
        self.ended.0[lane] != 0.0
    }

    /// Where the fit in a lane ended; its parameters are written to `x`, room for a triangle is lent.
    pub fn end<'r>(
        &mut self,
        lane: usize,
        x: &mut [f64],
        inverse: &mut [f64],
        room: &'r mut [f64],
    ) -> End<'r> {
        let verdict = match self.ended.0[lane] {
            1.0 => Verdict::Converged,
            2.0 => Verdict::AtBound,
            _ => Verdict::Doubtful,
        };
        for (j, x) in x.iter_mut().enumerate() {
            *x = self.x[j].0[lane] + self.whole[j].0[lane];
        }
        invert(&self.factor, self.p, lane, inverse, room);
        for i in 0..self.p {
            for j in 0..=i {
                if self.free[i].0[lane] * self.free[j].0[lane] == 0.0 {
                    room[i * (i + 1) / 2 + j] = f64::NAN;
                }
            }
        }
        // The last step is not evaluated: by the model it takes off what the normal equations say.
        let (cost, noise) = (self.here.cost.0[lane], self.noise.0[lane]);
        let left = 0.5 * self.step.0[lane] * noise;
        let cost = if left < cost { cost - left } else { cost };
        let variance = |j: usize| room[j * (j + 3) / 2] * noise;
        let turned = |j: usize| x[j] * self.start[j].0[lane] < 0.0 && x[j] * x[j] > SIGN * SIGN * variance(j);
        let verdict = if (0..self.p).any(turned) { Verdict::Doubtful } else { verdict };
        let rss = 2.0 * if self.likely { self.here.pearson.0[lane] } else { cost };
        End { verdict, cost, rss, nfev: self.nfev.0[lane] as u32, covariance: room }
    }
}

struct Advance<'a> {
    lanes: &'a mut Lanes,
}

impl WithSimd for Advance<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let taken = self.lanes.judge();
        self.lanes.hold();
        self.lanes.propose();
        self.lanes.decide(&taken);
    }
}

impl Lanes {
    /// Move or retreat: 1 in lanes where the trial was taken.
    #[inline(always)]
    fn judge(&mut self) -> Row {
        let mut taken = Row::default();
        for l in 0..WIDTH {
            let (cost, trial) = (self.here.cost.0[l], self.there.cost.0[l]);
            let finite = trial.abs() < f64::INFINITY;
            let gain = (cost - trial) / self.predicted.0[l];
            // Beside the rounding errors of the cost its change says nothing: such steps are taken.
            let tiny = self.predicted.0[l] < 1e-13 * cost;
            let fresh = self.fresh.0[l] != 0.0;
            let good = finite & ((gain > ACCEPT) | (tiny & (trial - cost < 1e-12 * cost)));
            let go = (fresh & finite) | good;
            taken.0[l] = if go { 1.0 } else { 0.0 };
            let agrees = if (gain - 1.0).abs() < 0.5 { 1.0 } else { 0.0 };
            self.foreseen.0[l] = if fresh | tiny { self.foreseen.0[l] } else { agrees };
            let bend = 2.0 * gain - 1.0;
            let shrink = (1.0 - bend * bend * bend).max(0.05);
            let (grown, factor) = (self.growth.0[l], if tiny { 1.0 } else { shrink });
            let damping = if good { self.damping.0[l] * factor } else { self.damping.0[l] * grown };
            self.damping.0[l] = if fresh { self.damping.0[l] } else { damping };
            self.growth.0[l] = if go { 2.0 } else { 2.0 * grown };
            // A start that cannot be evaluated is in doubt at once.
            self.nfev.0[l] = if fresh & !finite { PATIENCE } else { self.nfev.0[l] + 1.0 };
            self.here.cost.0[l] = if go { trial } else { cost };
        }
        take(&taken, std::slice::from_mut(&mut self.here.pearson), std::slice::from_ref(&self.there.pearson));
        take(&taken, &mut self.x, &self.trial);
        take(&taken, &mut self.here.gradient, &self.there.gradient);
        take(&taken, &mut self.here.normal, &self.there.normal);
        taken
    }

    /// Parameters that a bound holds against the gradient do not move.
    #[inline(always)]
    fn hold(&mut self) {
        for j in 0..self.p {
            // Rows are taken out of their vectors before the loops over lanes: an index checked inside keeps those
            // from being vectorized (four parameters, 12 points: a fifth of the time of a fit).
            let (x, g) = (&self.x[j], &self.here.gradient[j]);
            let (lower, upper, free) = (&self.lower[j], &self.upper[j], &mut self.free[j]);
            for l in 0..WIDTH {
                let low = (x.0[l] <= lower.0[l]) & (g.0[l] > 0.0);
                let high = (x.0[l] >= upper.0[l]) & (g.0[l] < 0.0);
                free.0[l] = if low | high { 0.0 } else { 1.0 };
            }
        }
    }

    /// The undamped step, and the damped one that is tried next.
    #[inline(always)]
    fn propose(&mut self) {
        let p = self.p;
        let at = |i: usize, j: usize| i * (i + 1) / 2 + j;
        let Scratch { reduced, damped, step, room } = &mut self.scratch;
        for i in 0..p {
            let moves = &self.free[i];
            for j in 0..i {
                let (other, normal) = (&self.free[j], &self.here.normal[at(i, j)]);
                let to = &mut reduced[at(i, j)];
                for l in 0..WIDTH {
                    to.0[l] = normal.0[l] * moves.0[l] * other.0[l];
                }
            }
            let (normal, to) = (&self.here.normal[at(i, i)], &mut reduced[at(i, i)]);
            let (gradient, whole, step) = (&self.here.gradient[i], &mut self.whole[i], &mut step[i]);
            for l in 0..WIDTH {
                to.0[l] = if moves.0[l] == 0.0 { 1.0 } else { normal.0[l] };
                let g = -gradient.0[l] * moves.0[l];
                (whole.0[l], step.0[l]) = (g, g);
            }
        }
        let least = factorize(reduced, p, &Row::default(), &mut self.factor, room);
        let squares = solve(&self.factor, p, &mut self.whole);
        factorize(reduced, p, &self.damping, damped, room);
        solve(damped, p, step);
        for l in 0..WIDTH {
            let noise = self.here.cost.0[l].max(self.floor.0[l]) * 2.0 / self.dof.0[l];
            let noise = if self.likely { 1.0 } else { noise };
            self.noise.0[l] = noise;
            let sound = least.0[l] > PIVOT;
            self.step.0[l] = if sound { squares.0[l] / noise } else { f64::INFINITY };
        }
        for j in 0..p {
            let (x, lower, upper) = (&self.x[j], &self.lower[j], &self.upper[j]);
            let (trial, step) = (&mut self.trial[j], &mut step[j]);
            for l in 0..WIDTH {
                let to = (x.0[l] + step.0[l]).max(lower.0[l]).min(upper.0[l]);
                trial.0[l] = to;
                step.0[l] = to - x.0[l];
            }
        }
        // -g'd - d'Hd/2 for the step as it was cut.
        let mut predicted = Row::default();
        for i in 0..p {
            let (gradient, own) = (&self.here.gradient[i], &step[i]);
            let mut slope = *gradient;
            for j in 0..=i {
                let half = if i == j { 0.5 } else { 1.0 };
                let (normal, other) = (&self.here.normal[at(i, j)], &step[j]);
                for l in 0..WIDTH {
                    slope.0[l] += half * normal.0[l] * other.0[l];
                }
            }
            for l in 0..WIDTH {
                predicted.0[l] -= slope.0[l] * own.0[l];
            }
        }
        self.predicted = predicted;
    }

    /// Which lanes have ended.
    #[inline(always)]
    fn decide(&mut self, taken: &Row) {
        let force = FORCE * self.last_step;
        // Clear of the bounds by more than the last step, or held with force.
        let (mut clear, mut held) = (Row([1.0; WIDTH]), Row::default());
        for j in 0..self.p {
            let (x, whole, lower, upper) = (&self.x[j], &self.whole[j], &self.lower[j], &self.upper[j]);
            let (free, gradient) = (&self.free[j], &self.here.gradient[j]);
            let normal = &self.here.normal[j * (j + 1) / 2 + j];
            for l in 0..WIDTH {
                let (to, last) = (x.0[l] + whole.0[l], whole.0[l].abs());
                let within = (to - last > lower.0[l]) & (to + last < upper.0[l]);
                let least = force * force * self.noise.0[l] * normal.0[l];
                let pressed = gradient.0[l] * gradient.0[l] > least;
                let moves = free.0[l] != 0.0;
                let fine = if moves { within } else { pressed };
                clear.0[l] = if fine { clear.0[l] } else { 0.0 };
                held.0[l] = if moves { held.0[l] } else { 1.0 };
            }
        }
        let last = self.last_step;
        for l in 0..WIDTH {
            let (step, before) = (self.step.0[l], self.before.0[l]);
            let fast = (step < last * last) & (step < FAST * FAST * before) & (before < f64::INFINITY);
            let there = (step < SHORT * SHORT) & (step < before);
            // Where a mean tends to zero, the edge of the likelihood, steps shrink although the cost is linear there.
            let done = (taken.0[l] != 0.0) & (fast | there) & (self.foreseen.0[l] != 0.0);
            // Nothing is known of a start that is stationary: it may be a saddle.
            let unmoved = (self.fresh.0[l] != 0.0) & done;
            // NaN, as a matrix that is not positive definite leaves, is in doubt. Cut by a bound a step may promise nothing:
            // it is taken where the cost falls, else damped.
            let sound = (self.damping.0[l] < 1e12) & !self.predicted.0[l].is_nan();
            let lost = (self.nfev.0[l] >= PATIENCE) | !sound;
            let unclear = done & ((clear.0[l] == 0.0) | unmoved);
            let certified = if done { 1.0 + held.0[l] } else { 0.0 };
            self.ended.0[l] = if lost | unclear { 3.0 } else { certified };
            self.before.0[l] = if taken.0[l] != 0.0 { step } else { before };
            self.fresh.0[l] = 0.0;
        }
    }
}

/// `to` becomes `from` in the lanes where the trial was taken.
#[inline(always)]
fn take(taken: &Row, to: &mut [Row], from: &[Row]) {
    for (to, from) in to.iter_mut().zip(from) {
        for l in 0..WIDTH {
            to.0[l] = if taken.0[l] != 0.0 { from.0[l] } else { to.0[l] };
        }
    }
}
