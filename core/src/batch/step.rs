//! One step of the textbook's loop for the fits in a vector: where the loop of one fit branches, each lane chooses.

use pulp::{Simd, WithSimd};

use super::lanes::{ACCEPT, FAST, FORCE, Lanes, Limits, PATIENCE, SIGN};
use super::normal::MOST;
use super::small::{Factor, Matrix};
use super::wide::{Mask, Part, Wide};
use crate::tape::Real;

/// Judges the trials of all lanes, and finds the next ones.
pub(super) struct Advance<'a, T: Real> {
    pub lanes: &'a mut Lanes<T>,
}

impl<T: Real> WithSimd for Advance<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let lanes = self.lanes;
        // Where the number of parameters is known to the compiler a step stays in registers.
        match lanes.p {
            1 => advance::<S, T, 1>(s, lanes, 1),
            2 => advance::<S, T, 2>(s, lanes, 2),
            3 => advance::<S, T, 3>(s, lanes, 3),
            4 => advance::<S, T, 4>(s, lanes, 4),
            5 => advance::<S, T, 5>(s, lanes, 5),
            6 => advance::<S, T, 6>(s, lanes, 6),
            p if p <= 10 => advance::<S, T, 10>(s, lanes, p),
            p => advance::<S, T, MOST>(s, lanes, p),
        }
    }
}

#[inline(always)]
fn advance<S: Simd, T: Real, const N: usize>(s: S, lanes: &mut Lanes<T>, p: usize) {
    // Nothing is left in it from part to part. Large matrices are made once: to fill them with zeros took 5 % of the time of
    // fits of 25 points; small ones for each part: they stay in registers then, 4 % of the time of logistic curves.
    let Some(first) = Part::all(s).next() else { return };
    let mut step = Step::<S, T, N>::new(first);
    for part in Part::all(s) {
        step.part = part;
        if N < 5 {
            step = Step::new(part);
        }
        let taken = step.judge(lanes);
        step.take(lanes, p, taken);
        step.propose(lanes, p);
        if step.decide(lanes, p, taken) {
            step.conclude(lanes, p);
        }
    }
}

/// The fits of a vector at the points where they are, or have just come to.
struct Step<S: Simd, T: Real, const N: usize> {
    part: Part<S, T>,
    x: [Wide<S, T>; N],
    gradient: [Wide<S, T>; N],
    normal: Matrix<S, T, N>,
    cost: Wide<S, T>,
    predicted: Wide<S, T>,
    /// 1 where a parameter may move, 0 where a bound holds it.
    free: [Wide<S, T>; N],
    /// The undamped step, the factor it comes from, and the square of its length in standard errors.
    whole: [Wide<S, T>; N],
    factor: Factor<S, T, N>,
    length: Wide<S, T>,
    /// Variance of a residual: 1 for counts, else estimated.
    noise: Wide<S, T>,
    /// Of the damped normal matrix.
    damped: Factor<S, T, N>,
    /// The normal matrix of the parameters that are free, and at the end the covariance matrix.
    reduced: Matrix<S, T, N>,
}

impl<S: Simd, T: Real, const N: usize> Step<S, T, N> {
    #[inline(always)]
    fn new(part: Part<S, T>) -> Self {
        let zero = part.splat(0.0);
        Step {
            part,
            x: [zero; N],
            gradient: [zero; N],
            normal: [[zero; N]; N],
            cost: zero,
            predicted: zero,
            free: [zero; N],
            whole: [zero; N],
            factor: Factor::new(part),
            length: zero,
            noise: zero,
            damped: Factor::new(part),
            reduced: [[zero; N]; N],
        }
    }

    /// Move or retreat: true where the trial is taken.
    #[inline(always)]
    fn judge(&mut self, lanes: &mut Lanes<T>) -> Mask<S, T> {
        let part = self.part;
        let (zero, one) = (part.splat(0.0), part.splat(1.0));
        let (cost, trial) = (part.load(&lanes.here.cost), part.load(&lanes.there.cost));
        let predicted = part.load(&lanes.predicted);
        let fresh = part.load(&lanes.fresh).gt(zero);
        let finite = trial.abs().lt(part.splat(f64::INFINITY));
        let gain = (cost - trial) / predicted;
        // Beside the rounding errors of the cost its change says nothing: such steps are taken.
        let Limits { tiny, slack, .. } = *Limits::of::<T>();
        let tiny = predicted.lt(cost * tiny);
        let good = finite & (gain.gt(part.splat(ACCEPT)) | (tiny & (trial - cost).lt(cost * slack)));
        let taken = (fresh & finite) | good;

        let agrees = (gain - one).abs().lt(part.splat(0.5)).pick(one, zero);
        let foreseen = (fresh | tiny).pick(part.load(&lanes.foreseen), agrees);
        part.store(&mut lanes.foreseen, foreseen);
        let (damping, growth) = (part.load(&lanes.damping), part.load(&lanes.growth));
        let bend = gain + gain - one;
        let shrink = tiny.pick(one, (one - bend * bend * bend).max(part.splat(0.05)));
        let changed = good.pick(damping * shrink, damping * growth);
        part.store(&mut lanes.damping, fresh.pick(damping, changed));
        part.store(&mut lanes.growth, taken.pick(one + one, growth + growth));
        // A start that cannot be evaluated is in doubt at once.
        let nfev = (fresh & !finite).pick(part.splat(PATIENCE), part.load(&lanes.nfev) + one);
        part.store(&mut lanes.nfev, nfev);
        self.cost = taken.pick(trial, cost);
        part.store(&mut lanes.here.cost, self.cost);
        taken
    }

    /// The points of the next step: the trials that were taken, else where the fits were.
    #[inline(always)]
    fn take(&mut self, lanes: &mut Lanes<T>, p: usize, taken: Mask<S, T>) {
        let part = self.part;
        let (here, there) = (&mut lanes.here, &lanes.there);
        let chosen = |to: &mut _, from: &_| {
            let value = taken.pick(part.load(from), part.load(to));
            part.store(to, value);
            value
        };
        chosen(&mut here.pearson, &there.pearson);
        let (x, trial) = (&mut lanes.x[..p], &lanes.trial[..p]);
        let (gradient, other) = (&mut here.gradient[..p], &there.gradient[..p]);
        let (mut normal, mut entries) = (here.normal.iter_mut(), there.normal.iter());
        for i in 0..p {
            self.x[i] = chosen(&mut x[i], &trial[i]);
            self.gradient[i] = chosen(&mut gradient[i], &other[i]);
            for j in 0..=i {
                if let (Some(to), Some(from)) = (normal.next(), entries.next()) {
                    self.normal[i][j] = chosen(to, from);
                }
            }
        }
    }

    /// The undamped step, and the damped one that is tried next.
    #[inline(always)]
    fn propose(&mut self, lanes: &mut Lanes<T>, p: usize) {
        let part = self.part;
        let (zero, one) = (part.splat(0.0), part.splat(1.0));
        let (lower, upper, trial) = (&lanes.lower[..p], &lanes.upper[..p], &mut lanes.trial[..p]);
        let reduced = &mut self.reduced;
        for i in 0..p {
            // Parameters that a bound holds against the gradient do not move.
            let (x, g) = (self.x[i], self.gradient[i]);
            let low = x.le(part.load(&lower[i])) & g.gt(zero);
            let high = x.ge(part.load(&upper[i])) & g.lt(zero);
            self.free[i] = (low | high).pick(zero, one);
            self.whole[i] = -g * self.free[i];
            for j in 0..i {
                reduced[i][j] = self.normal[i][j] * self.free[i] * self.free[j];
            }
            reduced[i][i] = (low | high).pick(one, self.normal[i][i]);
        }
        let mut step = self.whole;
        let sound = self.factor.fill(reduced, p, zero, part.splat(Limits::of::<T>().pivot));
        let squares = self.factor.solve(p, &mut self.whole, zero);
        self.damped.fill(reduced, p, part.load(&lanes.damping), zero);
        self.damped.solve(p, &mut step, zero);
        self.noise = one;
        if !lanes.likely {
            self.noise = self.cost.max(part.load(&lanes.floor)) * part.load(&lanes.per_degree);
        }
        self.length = sound.pick(squares / self.noise, part.splat(f64::INFINITY));
        for j in 0..p {
            let to = (self.x[j] + step[j]).max(part.load(&lower[j])).min(part.load(&upper[j]));
            part.store(&mut trial[j], to);
            step[j] = to - self.x[j];
        }
        // -g'd - d'Hd/2 for the step as it was cut.
        let mut predicted = zero;
        for i in 0..p {
            let mut slope = self.gradient[i];
            for j in 0..i {
                slope = slope.plus(self.normal[i][j], step[j]);
            }
            slope = slope.plus(self.normal[i][i] * 0.5, step[i]);
            predicted = predicted.minus(slope, step[i]);
        }
        self.predicted = predicted;
        part.store(&mut lanes.predicted, predicted);
    }

    /// Has some fit ended?
    #[inline(always)]
    fn decide(&mut self, lanes: &mut Lanes<T>, p: usize, taken: Mask<S, T>) -> bool {
        let part = self.part;
        let (zero, one) = (part.splat(0.0), part.splat(1.0));
        let (lower, upper) = (&lanes.lower[..p], &lanes.upper[..p]);
        let Limits { last_step: last, short, slow, .. } = *Limits::of::<T>();
        let force = self.noise * (FORCE * last * FORCE * last);
        // Clear of the bounds by more than the last step, or held with force.
        let (mut clear, mut held) = (one, zero);
        for j in 0..p {
            let (to, last) = (self.x[j] + self.whole[j], self.whole[j].abs());
            let within = (to - last).gt(part.load(&lower[j])) & (to + last).lt(part.load(&upper[j]));
            let pressed = (self.gradient[j] * self.gradient[j]).gt(force * self.normal[j][j]);
            let moves = self.free[j].gt(zero);
            let fine = (moves & within) | (!moves & pressed);
            clear = fine.pick(clear, zero);
            held = moves.pick(held, one);
        }
        let (step, before) = (self.length, part.load(&lanes.before));
        let contracted = step.lt(before * (FAST * FAST)) & before.lt(part.splat(f64::INFINITY));
        let fast = step.lt(part.splat(last * last)) & contracted;
        let there = step.lt(part.splat(short * short)) & step.lt(before * (slow * slow));
        // Where a mean tends to zero, the edge of the likelihood, steps shrink although the cost is linear there.
        let done = taken & (fast | there) & part.load(&lanes.foreseen).gt(zero);
        // Nothing is known of a start that is stationary: it may be a saddle.
        let unmoved = part.load(&lanes.fresh).gt(zero) & done;
        // NaN, as a matrix that is not positive definite leaves, is in doubt. Cut by a bound a step may promise nothing:
        // it is taken where the cost falls, else damped.
        let unsound = part.load(&lanes.damping).ge(part.splat(1e12)) | self.predicted.is_nan();
        let lost = part.load(&lanes.nfev).ge(part.splat(PATIENCE)) | unsound;
        let unclear = (done & clear.le(zero)) | unmoved;
        let doubtful = lost | unclear;
        let ended = doubtful.pick(part.splat(3.0), done.pick(one + held, zero));
        part.store(&mut lanes.ended, ended);
        part.store(&mut lanes.before, taken.pick(step, before));
        part.store(&mut lanes.fresh, zero);
        (doubtful | done).any()
    }

    /// What is told of fits that have ended.
    #[inline(always)]
    fn conclude(&mut self, lanes: &mut Lanes<T>, p: usize) {
        let part = self.part;
        let (zero, nan) = (part.splat(0.0), part.splat(f64::NAN));
        // The last step is not evaluated: by the model it takes off what the normal equations say.
        let left = self.length * self.noise * 0.5;
        let cost = left.lt(self.cost).pick(self.cost - left, self.cost);
        part.store(&mut lanes.cost, cost);
        if lanes.scaled {
            part.store(&mut lanes.scale, cost * part.load(&lanes.per_degree));
        }
        let deviation = part.load(&lanes.scale).sqrt();
        let start = &lanes.start[..p];
        let (x, errors, inverses) = (&mut lanes.at[..p], &mut lanes.errors[..p], &mut lanes.inverse);
        // Of no more use is where it came from.
        self.factor.invert(p, &mut self.reduced, &mut self.damped.lower, &mut self.normal);
        let inverse = &self.reduced;
        let limit = Limits::of::<T>().relative;
        let mut mirrored = zero.gt(zero);
        let mut vague =
            if limit.is_some() && !lanes.likely { self.cost.lt(part.load(&lanes.floor)) } else { mirrored };
        let mut entry = inverses.iter_mut();
        for i in 0..p {
            let to = self.x[i] + self.whole[i];
            part.store(&mut x[i], to);
            let variance = inverse[i][i] * self.noise;
            let turned = (to * part.load(&start[i])).lt(zero);
            let moves = self.free[i].gt(zero);
            mirrored = mirrored | (turned & moves & (to * to).gt(variance * (SIGN * SIGN)));
            if let Some(limit) = limit {
                vague = vague | (moves & variance.lt(to * to * (limit * limit)));
            }
            part.store(&mut errors[i], moves.pick(inverse[i][i].sqrt() * deviation, nan));
            for j in 0..=i {
                if let Some(row) = entry.next() {
                    part.store(row, (moves & self.free[j].gt(zero)).pick(inverse[i][j], nan));
                }
            }
        }
        let ended = part.load(&lanes.ended);
        let certified = ended.gt(zero);
        part.store(&mut lanes.ended, (certified & (mirrored | vague)).pick(part.splat(3.0), ended));
    }
}
