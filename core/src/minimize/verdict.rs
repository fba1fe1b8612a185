//! What a vanishing gradient does not tell: is the end a minimum, is what looks flat really flat, does a parameter run
//! away? Asked once, at the end; a lower point found on the way is where the search goes on.

use super::outcome::Reason;
use super::point::Point;
use super::rank::Rank;
use super::rules::StepRule;
use super::spectrum::Spectrum;
use super::state::{Exit, Loop};
use super::trace::{Step, Verdict};
use crate::linear::small::norm;
use crate::linear::{svd, triangle};

/// From so many residuals on the Hessian costs a noticeable pass: only where there is a reason to doubt.
const MANY: usize = 200_000;
/// An eigenvalue above minus this part of the largest is zero to rounding.
const FLAT: f64 = 1e-9;
/// Pivots of the Cholesky factor above this leave no doubt that the matrix is positive definite.
const SURELY: f64 = 1e-3;
/// A step below this part of x is lost in the rounding errors of x.
const ARRIVED: f64 = 4.0 * f64::EPSILON;
/// A search that lowered rss by less than this part has hardly left its start.
const UNMOVED: f64 = 1e-8;
/// Error of a Jacobian from differences, as a part of its columns.
const INEXACT: f64 = 1e-8;
/// Saddles left at most; one is the rule.
const ESCAPES: usize = 3;
/// How far to look along negative curvature, in parts of the step that changes the residuals by their own size.
const LENGTHS: [f64; 10] = [1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9];
/// Reductions are real above so many rounding errors of the cost.
const REAL: f64 = 10.0;
/// A parameter has run away when it is so many times as large as at the start and the residuals hardly notice,
const FAR: f64 = 1e3;
/// or so many times as large and they do not notice at all.
const GROWN: f64 = 10.0;
/// They do not notice a change by less than so many of their rounding errors; where the search ends uncertified, a
/// thousand times as many are no sign of an effect either (a logistic curve through a step stalls there).
const SILENT: f64 = 1e3;
const HARDLY_HEARD: f64 = 1e6;

impl Loop<'_> {
    /// Look around the end. True: a lower point was found and taken.
    pub fn look_around(&mut self) -> Result<bool, Exit> {
        let n = self.here.n();
        if n == 0 || self.reason == Reason::Budget {
            return Ok(false);
        }
        if !self.certified() && !self.newton_has_arrived()? {
            return Ok(self.is_lower_elsewhere()? && self.escape(Vec::new())?);
        }
        let rank = Rank::of(&self.here.linearization, self.here.threshold());
        // A gradient of rounding errors at the start may be followed by steps of rounding errors.
        let unmoved = self.n_accepted == 0 || self.first_live - self.live <= UNMOVED * self.first_live;
        let doubtful = rank.rank < n || unmoved;
        if !doubtful && self.here.m >= MANY {
            return Ok(false);
        }
        if self.find_exact_hessian()? || doubtful && self.hessian_by_differences()? {
            let (curvature, direction) = self.lowest_curvature();
            self.around.strict = curvature > FLAT;
            if curvature < -FLAT && self.find_lower(&direction)? {
                return self.escape(direction);
            }
        }
        if rank.rank == n || self.around.strict || !self.runaway(true).is_empty() {
            return Ok(false);
        }
        self.around.jumps = self.jumps_along(&rank.null_vectors)?;
        if self.around.jumps {
            return Ok(false);
        }
        if self.is_lower_elsewhere()? {
            return self.escape(Vec::new());
        }
        if self.around.lost.is_empty() {
            self.find_lost_together(&rank.null_vectors)?;
        }
        Ok(false)
    }

    /// Go on from the lower point just found, if the method does so.
    fn escape(&mut self, direction: Vec<f64>) -> Result<bool, Exit> {
        let goes = self.strategy.escape && self.escapes < ESCAPES && self.njev < self.budget;
        if goes && self.go_there()? {
            self.live = self.after;
            self.escapes += 1;
            self.reason = Reason::Certified;
            self.contraction = 1.0;
            self.record(Step::Escape, Verdict::Accepted);
            self.restart();
            self.report()?;
            return Ok(true);
        }
        self.around.descent = direction;
        Ok(false)
    }

    /// A minimum where the residuals are stationary themselves (x^2 + 1 at 0) has no direction that J could be judged
    /// in, but Newton's step tells: the Hessian is positive definite, and the step below the rounding errors of x.
    fn newton_has_arrived(&mut self) -> Result<bool, Exit> {
        if !self.find_exact_hessian()? || self.lowest_curvature().0 <= FLAT {
            return Ok(false);
        }
        self.propose(true, StepRule::REGION, f64::INFINITY);
        let step = self.trial.size / self.reach();
        let arrived = step <= ARRIVED;
        self.around.newton_step = arrived.then_some(step);
        Ok(arrived)
    }

    /// Smallest eigenvalue of C^-1 (J'J + sum f_i H_i) C^-1, C the column norms, as a part of the largest; and its
    /// eigenvector in units of x. Only the sign is told, by 1, where the matrix is well inside the positive definite.
    fn lowest_curvature(&self) -> (f64, Vec<f64>) {
        let (p, k) = (&self.here, self.here.free.len());
        let scale = unit_scales(p, &self.hessian);
        let mut model = Spectrum::default();
        model.assemble(p, &self.hessian, &scale, &p.free, None);
        let mut factor = model.matrix.clone();
        let pivots = |factor: &[f64]| (0..k).map(|i| factor[i * k + i]).fold(f64::INFINITY, f64::min);
        if triangle::cholesky(&mut factor, k) && pivots(&factor) > SURELY {
            return (1.0, Vec::new());
        }
        model.diagonalize();
        let largest = model.w.iter().fold(0.0, |a: f64, w| a.max(w.abs()));
        let mut direction = vec![0.0; p.n()];
        let Some(lowest) = (0..k).min_by(|&i, &j| model.w[i].total_cmp(&model.w[j])) else {
            return (1.0, direction);
        };
        for (row, &j) in p.free.iter().enumerate() {
            direction[j] = model.v[lowest * k + row] / scale[j];
        }
        (model.w[lowest] / largest, direction)
    }

    /// Is the cost really lower somewhere along +-direction? The point is left in `there`. Looked for in units of the
    /// residuals that have moved; if those vanish, of all: what bends here may not have moved yet.
    fn find_lower(&mut self, direction: &[f64]) -> Result<bool, Exit> {
        let vanish = self.live < 0.5 * self.here_rss;
        for squares in [Some(self.live), vanish.then_some(self.here_rss)].into_iter().flatten() {
            for part in LENGTHS {
                for sign in [1.0, -1.0] {
                    self.step_along(direction, sign * part * squares.sqrt());
                    self.begin_row();
                    if self.try_row()? > REAL * self.cost_noise() {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    /// Let the trial go along `direction`, times `length`.
    fn step_along(&mut self, direction: &[f64], length: f64) {
        let d = &self.scales.d;
        let size = (0..d.len()).map(|j| (d[j] * direction[j]).powi(2)).sum::<f64>().sqrt();
        self.trial.v.clear();
        self.trial.v.extend(direction.iter().map(|v| length * v));
        (self.trial.size, self.trial.damping, self.trial.predicted) = (length.abs() * size, 0.0, 0.0);
    }

    /// Do the residuals change in steps along what the Jacobian calls flat? A smooth function changes there with the
    /// square of the step: by a factor of 100 between these two.
    fn jumps_along(&mut self, null_vectors: &[Vec<f64>]) -> Result<bool, Exit> {
        let n = self.here.n();
        let flat = |j: usize| null_vectors.iter().map(|v| v[j]).sum::<f64>();
        let unit = |j: usize| if self.here.norms[j] > 0.0 { self.here.norms[j] } else { self.scales.d[j] };
        let direction: Vec<f64> = (0..n).map(|j| flat(j) / unit(j)).collect();
        let (reach, d) = (self.reach(), &self.scales.d);
        let size = (0..n).map(|j| (d[j] * direction[j]).powi(2)).sum::<f64>().sqrt();
        let mut change = [0.0; 2];
        for (change, part) in change.iter_mut().zip([0.1, 0.01]) {
            self.step_along(&direction, part * reach / size);
            self.probe()?;
            *change = self.change()?;
        }
        let [far, near] = change;
        let size = self.here.terms().max(self.here.size());
        // Where the Jacobian comes from differences, its flat directions are flat to ten digits only.
        let slopes = self.here.norms.iter().zip(&self.trial.v).map(|(c, v)| (c * v) * (c * v));
        let noise = self.noise() + INEXACT * slopes.sum::<f64>().sqrt();
        let smooth = if near > noise { far >= 20.0 * near } else { far <= (1e-3 * size).max(20.0 * noise) };
        Ok(!smooth) // a value that is not finite is not smooth either
    }

    /// Change of the residuals by the last probe.
    fn change(&mut self) -> Result<f64, Exit> {
        Ok(self.problem.beside(&self.here.f, &self.there.f)?.squares.sqrt())
    }

    /// A change of the residuals that rounding errors can feign.
    fn noise(&self) -> f64 {
        100.0 * f64::EPSILON * self.here.noise().max(self.here.size())
    }

    /// Is the cost lower where a parameter without effect here is much smaller or larger? If not, but the residuals
    /// change there, the parameter has run out of the reach of the data.
    fn is_lower_elsewhere(&mut self) -> Result<bool, Exit> {
        let n = self.here.n();
        let silent: Vec<usize> =
            self.here.free.iter().copied().filter(|&j| self.is_silent(j, SILENT)).collect();
        for j in silent {
            let (mut heard, mut lower) = (false, false);
            for factor in [0.1, 10.0, 0.01, 100.0] {
                let mut direction = vec![0.0; n];
                direction[j] = self.scales.magnitude[j].copysign(self.here.x[j]);
                self.step_along(&direction, factor - 1.0);
                self.begin_row();
                lower = self.try_row()? > REAL * self.cost_noise().max(f64::EPSILON * self.live);
                heard = heard || lower || self.change()? > self.noise();
                if lower {
                    break;
                }
            }
            if heard {
                self.around.lost.push(j);
            }
            if lower {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Parameters that have grown together until only a combination of them is felt (Bard's function far out). Going back
    /// along the flat direction changes the residuals both in a straight line and in proportion; where the data leave
    /// a + b or a b open, one of the two changes nothing.
    fn find_lost_together(&mut self, null_vectors: &[Vec<f64>]) -> Result<(), Exit> {
        for null in null_vectors {
            let (p, first) = (&self.here, &self.scales.first);
            let relative = |j: usize| {
                if p.x[j] != 0.0 && p.norms[j] > 0.0 { null[j] / (p.norms[j] * p.x[j]) } else { 0.0 }
            };
            let mut parts: Vec<f64> = (0..p.n()).map(relative).collect();
            let leading = parts.iter().fold(0.0, |a: f64, b| if b.abs() > a.abs() { *b } else { a });
            parts.iter_mut().for_each(|part| *part /= leading);
            let members: Vec<usize> = (0..p.n()).filter(|&j| parts[j].abs() >= 0.3).collect();
            let grown = members.iter().all(|&j| p.x[j].abs() >= GROWN * first[j]);
            if !members.is_empty() && grown && (self.is_felt(&parts, 0.1)? || self.is_felt(&parts, 0.01)?) {
                let lost = &mut self.around.lost;
                lost.extend(members);
                lost.sort_unstable();
                lost.dedup(); // several flat directions may share a parameter
            }
        }
        Ok(())
    }

    /// Do the residuals change when every parameter shrinks by a factor, to the power of its part?
    fn is_felt(&mut self, parts: &[f64], factor: f64) -> Result<bool, Exit> {
        let x = self.here.x.clone();
        let straight = x.iter().zip(parts).map(|(x, part)| x * (factor - 1.0) * part).collect();
        let in_proportion = x.iter().zip(parts).map(|(x, part)| x * (factor.powf(*part) - 1.0)).collect();
        for v in [straight, in_proportion] {
            self.trial.v = v;
            self.probe()?;
            if self.change()? <= self.noise() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Would a change of parameter j by its own size be lost in so many rounding errors? Residuals seem exact when they
    /// vanish where nobody says what they are a difference of: then their size at the start is the measure.
    fn is_silent(&self, j: usize, roundings: f64) -> bool {
        let terms = self.here.terms();
        let untold = terms <= 2.02 * self.here.size();
        let size = if untold { terms.max(self.first_live.sqrt()) } else { terms };
        self.here.norms[j] * self.scales.magnitude[j] <= roundings * f64::EPSILON * size
    }

    /// Parameters that head for infinity: much larger than at the start, with residuals that hardly react any more.
    pub fn runaway(&self, certified: bool) -> Vec<usize> {
        let (p, first) = (&self.here, &self.scales.first);
        let growth = |j: usize| p.x[j].abs() / first[j];
        if !p.free.iter().any(|&j| growth(j) >= GROWN) || !self.around.lost.is_empty() {
            return self.around.lost.clone();
        }
        let roundings = if certified { SILENT } else { HARDLY_HEARD };
        let gone = |&j: &usize| growth(j) >= GROWN && self.is_silent(j, roundings);
        let alone: Vec<usize> = p.free.iter().copied().filter(gone).collect();
        if !alone.is_empty() || self.offset() <= self.options.tolerance {
            return alone;
        }
        self.runaway_together().into_iter().filter(|&j| growth(j) >= GROWN).collect()
    }

    /// Parameters of a combination that hardly matters any more, if one of them is far from the start and the cost
    /// still falls outwards.
    fn runaway_together(&self) -> Vec<usize> {
        let (p, first, k) = (&self.here, &self.scales.first, self.here.free.len());
        let n = p.n();
        let mut columns: Vec<f64> = Vec::with_capacity(n * k);
        for &j in &p.free {
            columns.extend((0..n).map(|i| if i <= j { p.r(i, j) * p.x[j] } else { 0.0 }));
        }
        let mut v = vec![0.0; k * k];
        svd::orthogonalize(&mut columns, &mut v, n, k);
        let sigma: Vec<f64> = (0..k).map(|i| norm(&columns[i * n..i * n + n])).collect();
        let zero = p.threshold() * sigma.iter().fold(0.0, |a: f64, b| a.max(*b));
        for i in (0..k).filter(|&i| sigma[i] > zero && sigma[i] <= self.live.sqrt() / FAR) {
            let weights = &v[i * k..i * k + k];
            let largest = weights.iter().fold(0.0, |a: f64, w| a.max(w.abs()));
            let members = (0..k).filter(|&row| weights[row].abs() >= 0.3 * largest).map(|row| p.free[row]);
            let members: Vec<usize> = members.collect();
            let outwards: f64 = members.iter().map(|&j| p.linearization.gradient[j] * p.x[j]).sum();
            if outwards <= 0.0 && members.iter().any(|&j| p.x[j].abs() >= FAR * first[j]) {
                return members;
            }
        }
        Vec::new()
    }
}

/// Column norms of J; for a parameter that J does not know, what its second derivative makes a unit.
fn unit_scales(p: &Point, hessian: &[f64]) -> Vec<f64> {
    let n = p.n();
    let unit = |j: usize| {
        let own = hessian[j * n + j].abs().sqrt();
        if p.norms[j] > 0.0 { p.norms[j] } else { own }
    };
    (0..n).map(|j| if unit(j) > 0.0 { unit(j) } else { 1.0 }).collect()
}
