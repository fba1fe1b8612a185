//! Robust fits one by one: the scale of a loss found for each, and the sandwich covariance.
//!
//! `marquardt.solve.robust` and `marquardt.stats.robust` do the same for a single fit, and say why; tests hold them equal.

use crate::cost::Cost;
use crate::covariance::inverse_gram;
use crate::evaluate::curve::{Block, Curve};
use crate::evaluate::{Evaluate, Failure};
use crate::linear::qr;
use crate::loss::{Loss, Robust};
use crate::minimize::{Control, Options, Outcome, Progress, Status, minimize};
use crate::tape::{Level, Workspace};

const ROUNDS: usize = 10;
/// The noise has settled when a solve changes it by at most this part.
const SETTLED: f64 = 0.02;
/// The noise is looked for with Huber's loss at this part of its scale.
const CLOSE: f64 = 0.2;
/// The scale is never below this part of the largest residual at the start.
const LEAST: f64 = 1e-8;
/// Scale of Huber's loss in units of the noise.
const HUBER: f64 = 1.345;

/// A loss, and how its scale is found.
#[derive(Clone, Debug)]
pub struct Plan {
    pub loss: Loss,
    /// Its scale in units of the noise.
    pub tuning: f64,
    /// Does the pull of an outlier fall with its distance?
    pub redescends: bool,
    /// The scale, where it is given.
    pub scale: Option<f64>,
    /// Is the noise known to be 1?
    pub unit_noise: bool,
}

impl Plan {
    /// Minimizes `1/2 sum c^2 rho((f/c)^2)` of the rows that count, and tells the loss at its scale c.
    pub(super) fn minimize(
        &self,
        curve: Curve,
        counted: &dyn Fn(usize) -> bool,
        rounds: Rounds,
    ) -> Result<(Outcome, Robust), Failure> {
        let Rounds { mut x, lower, upper, options, stopped } = rounds;
        let mut solver = Solver { curve: Some(curve), lower, upper, options, stopped, last: None };
        let f = solver.residuals(&x)?;
        if f.iter().any(|f| !f.is_finite()) {
            return solver.solve(self.at(self.scale.unwrap_or(1.0)), &x); // which says so
        }
        let noise = |f: &[f64]| noise(f, counted, x.len());
        let mut s = self.scale.map_or(1.0, |c| c / self.tuning);
        if self.scale.is_none() && !self.unit_noise {
            let least = LEAST * f.iter().fold(0.0, |m: f64, f| m.max(f.abs()));
            let least = if least > 0.0 { least } else { 1.0 };
            let mut at = x.clone();
            s = at_least(noise(&f), least);
            for _ in 0..ROUNDS {
                let (end, _) = solver.solve(Robust::new(Loss::Huber, CLOSE * s * HUBER), &at)?;
                let assumed = std::mem::replace(&mut s, at_least(noise(&end.f), least));
                at.clone_from(&end.x);
                if solver.keep(end) || (s - assumed).abs() <= SETTLED * s {
                    break;
                }
            }
            x = at;
        }
        if self.redescends && !solver.interrupted() {
            let (end, _) = solver.solve(Robust::new(Loss::Huber, s * HUBER), &x)?;
            x.clone_from(&end.x);
            solver.keep(end);
        }
        if let Some(last) = solver.last.take_if(|last| last.status == Status::Interrupted) {
            return Ok((last, self.at(s * self.tuning)));
        }
        solver.solve(self.at(self.scale.unwrap_or(s * self.tuning)), &x)
    }

    fn at(&self, scale: f64) -> Robust {
        Robust::new(self.loss.clone(), scale)
    }
}

/// Where the solves of a fit begin, and within which bounds.
pub(super) struct Rounds<'a> {
    pub x: Vec<f64>,
    pub lower: &'a [f64],
    pub upper: &'a [f64],
    pub options: &'a Options,
    pub stopped: &'a dyn Fn() -> bool,
}

/// Solves of one fit with different losses, which counts what they take.
struct Solver<'a> {
    curve: Option<Curve>,
    lower: &'a [f64],
    upper: &'a [f64],
    options: &'a Options,
    stopped: &'a dyn Fn() -> bool,
    last: Option<Outcome>,
}

impl Solver<'_> {
    fn residuals(&mut self, x: &[f64]) -> Result<Vec<f64>, Failure> {
        let Some(curve) = &mut self.curve else { return Ok(Vec::new()) };
        let mut f = vec![0.0; curve.n_residuals()];
        curve.residuals(x, &mut f)?;
        Ok(f)
    }

    /// The end from `x`, with the evaluations of all solves before it.
    fn solve(&mut self, loss: Robust, x: &[f64]) -> Result<(Outcome, Robust), Failure> {
        let broken = |error: String| Failure::Broken(error.into());
        let curve = self.curve.take().ok_or_else(|| broken("a solve before failed".into()))?;
        let mut curve = curve.with_cost(Some(Cost::Robust(loss.clone()))).map_err(broken)?;
        let mut observe = |_: &Progress<'_>| if (self.stopped)() { Control::Stop } else { Control::Continue };
        let mut end = minimize(&mut curve, x, self.lower, self.upper, self.options, &mut observe)?;
        self.curve = Some(curve);
        if let Some(last) = &self.last {
            (end.nfev, end.njev) = (end.nfev + last.nfev, end.njev + last.njev);
        }
        Ok((end, loss))
    }

    /// An end that is not the last; was it interrupted?
    fn keep(&mut self, end: Outcome) -> bool {
        self.last = Some(end);
        self.interrupted()
    }

    fn interrupted(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.status == Status::Interrupted)
    }
}

/// `1.4826 median |f| sqrt(m / (m - p))` of the residuals that count.
fn noise(f: &[f64], counted: &dyn Fn(usize) -> bool, p: usize) -> f64 {
    let kept = f.iter().enumerate().filter(|(i, _)| counted(*i));
    let mut sizes: Vec<f64> = kept.map(|(_, f)| f.abs()).collect();
    let m = sizes.len();
    if m <= p {
        return f64::NAN;
    }
    sizes.sort_unstable_by(f64::total_cmp);
    let median = if m % 2 == 1 { sizes[m / 2] } else { 0.5 * (sizes[m / 2 - 1] + sizes[m / 2]) };
    1.4826 * median * (m as f64 / (m - p) as f64).sqrt()
}

fn at_least(value: f64, least: f64) -> f64 {
    if value.is_finite() { value.max(least) } else { least }
}

/// What the covariance `m/(m-p) A^-1 J' diag(psi^2) J A^-1`, `A = J' diag(a) J`, is made of (Huber 1967).
pub struct Sandwich {
    /// Triangular factor of A, with a border of zeros, (p + 1) x (p + 1).
    pub factor: Vec<f64>,
    /// What stands between the two A^-1, p x p.
    pub inner: Vec<f64>,
}

impl Sandwich {
    /// That of the fit of a block that ended at `x` (all parameters) with residuals f. `None` where there is none.
    pub(super) fn of(
        block: &Block,
        x: &[f64],
        f: &[f64],
        p: usize,
        level: Level,
        loss: &Robust,
        redescends: bool,
    ) -> Option<Self> {
        let (m, rows) = (f.len(), weighted_rows(block, x, p, level));
        let known = |i: &usize| rows.iter().any(|d| d[*i] != 0.0);
        let counted = (0..m).filter(known).count();
        let (mut exact, mut pull) = (vec![0.0; m], vec![0.0; m]);
        loss.each(f, |i, rho| (exact[i], pull[i]) = (rho.exact, rho.slope * f[i]));
        if redescends {
            let mean = (0..m).filter(known).map(|i| exact[i]).sum::<f64>() / counted.max(1) as f64;
            exact.fill(mean);
        }
        let finite = rows.iter().flatten().all(|d| d.is_finite());
        if !finite || counted <= p || !(0..m).filter(known).any(|i| exact[i] > 0.0) {
            return None;
        }
        let times = |weights: &dyn Fn(usize) -> f64| {
            let weighted = |d: &Vec<f64>| d.iter().enumerate().map(|(i, d)| d * weights(i)).collect();
            rows.iter().map(weighted).collect::<Vec<Vec<f64>>>()
        };
        let mut folded = times(&|i| exact[i].max(0.0).sqrt());
        folded.push(vec![0.0; m]);
        let mut factor = vec![0.0; (p + 1) * (p + 1)];
        let mut columns: Vec<&mut [f64]> = folded.iter_mut().map(Vec::as_mut_slice).collect();
        qr::fold(&mut factor, &mut columns);
        let (pulled, part) = (times(&|i| pull[i]), counted as f64 / (counted - p) as f64);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let inner = pulled.iter().flat_map(|a| pulled.iter().map(move |b| part * dot(a, b))).collect();
        Some(Sandwich { factor, inner })
    }

    /// The covariance, where A is clearly of full rank.
    pub fn matrix(&self, p: usize) -> Option<Vec<f64>> {
        let bread = inverse_gram(&self.factor, p)?;
        let length = |j: usize| (0..=j).map(|i| self.factor[i * (p + 1) + j].powi(2)).sum::<f64>();
        if (0..p).any(|j| bread[j * p + j] * length(j) >= FLAT) {
            return None;
        }
        let product = |a: &[f64], b: &[f64]| -> Vec<f64> {
            let entry = |i: usize, j: usize| (0..p).map(|k| a[i * p + k] * b[k * p + j]).sum();
            (0..p * p).map(|at| entry(at / p, at % p)).collect()
        };
        Some(product(&product(&bread, &self.inner), &bread))
    }
}

/// From this inflation of a variance on singular values must tell the rank.
const FLAT: f64 = 1e16;

/// The weighted derivatives by each free parameter.
fn weighted_rows(block: &Block, x: &[f64], p: usize, level: Level) -> Vec<Vec<f64>> {
    let slice = |values: &crate::evaluate::curve::Values| (**values).as_ref().to_vec();
    let inputs: Vec<Vec<f64>> = block.columns.iter().map(slice).collect();
    let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
    let mut columns = vec![vec![0.0; block.n_rows]; p + 1];
    let mut outputs: Vec<&mut [f64]> = columns.iter_mut().map(Vec::as_mut_slice).collect();
    block.programs.jacobian.run(level, x, &inputs, &mut outputs, &mut Workspace::new());
    if let Some(w) = &block.w {
        let w: &[f64] = (**w).as_ref();
        for column in &mut columns {
            column.iter_mut().zip(w).for_each(|(d, &w)| *d = if w == 0.0 { 0.0 } else { *d * w });
        }
    }
    columns.split_off(1)
}
