//! Fits one by one on the dense QR path, by several threads: what lanes do not certify, and what they cannot do.

use std::sync::{Arc, Mutex};

use super::data::Data;
use super::robust::{Plan, Rounds, Sandwich};
use crate::cost::Cost;
use crate::covariance::inverse_gram;
use crate::evaluate::Failure;
use crate::evaluate::curve::{Block, Curve, Programs, Values};
use crate::evaluate::jobs::share;
use crate::minimize::{Control, Options, Outcome, Progress, minimize};
use crate::tape::Level;

/// The model of the fits, and how they are to be made.
pub struct Each<'a> {
    pub programs: Arc<Programs>,
    pub data: &'a Data<'a>,
    /// Of a likelihood the weights are how often each row counts.
    pub cost: Option<Cost>,
    /// In its place a loss whose scale is found for each fit.
    pub robust: Option<Plan>,
    /// Parameters that may be projected out.
    pub linear: Vec<usize>,
    pub options: &'a Options,
    pub level: Level,
}

/// Where one fit ended, and how many points counted.
pub struct End {
    pub outcome: Outcome,
    /// Sum of squared residuals; of a likelihood Pearson's chi-square.
    pub rss: f64,
    pub n_points: usize,
    /// (J'J)^-1, or the sandwich of a loss; where all parameters are free and clearly determined.
    pub covariance: Option<Vec<f64>>,
    /// Of a loss, what the sandwich is filled with, p x p; its factor is that of the linearization.
    pub inner: Option<Vec<f64>>,
}

impl End {
    fn robust(mut outcome: Outcome, sandwich: Option<Sandwich>, n_points: usize) -> Self {
        let (p, rss) = (outcome.x.len(), outcome.f.iter().map(|f| f * f).sum());
        let Some(sandwich) = sandwich else {
            let inner = Some(vec![f64::NAN; p * p]);
            return End { outcome, rss, n_points, covariance: None, inner };
        };
        let covariance = if outcome.is_clear() { sandwich.matrix(p) } else { None };
        outcome.linearization.factor = sandwich.factor;
        End { outcome, rss, n_points, covariance, inner: Some(sandwich.inner) }
    }
}

impl Outcome {
    /// All parameters are determined, and none is at a bound.
    fn is_clear(&self) -> bool {
        self.rank == self.x.len() && self.active.iter().all(|a| *a == 0)
    }
}

impl Each<'_> {
    /// Makes the fits at the positions `which`, by `threads` threads: their ends in that order, the same for any number
    /// of threads. `Interrupted`: `stopped` turned true before it.
    pub fn run(
        &self,
        which: &[usize],
        threads: usize,
        stopped: &(dyn Fn() -> bool + Sync),
    ) -> Vec<Result<End, Failure>> {
        let ends = Mutex::new(Vec::with_capacity(which.len()));
        let threads = threads.clamp(1, which.len().max(1));
        share(threads, &mut Vec::<()>::new(), which.iter(), |k, &fit, ()| {
            let end = if stopped() { Err(Failure::Interrupted) } else { self.fit(fit, stopped) };
            if let Ok(mut ends) = ends.lock() {
                ends.push((k, end));
            }
        });
        let mut ends = ends.into_inner().unwrap_or_default();
        ends.sort_by_key(|(k, _)| *k);
        ends.into_iter().map(|(_, end)| end).collect()
    }

    fn fit(&self, fit: usize, stopped: &dyn Fn() -> bool) -> Result<End, Failure> {
        let (data, p) = (self.data, self.data.free.len());
        let block = self.block(fit);
        let weights = block.w.clone().or_else(|| block.cases.clone());
        let weights = weights.as_deref().map(AsRef::as_ref);
        let n_points = weights.map_or(block.n_rows, |w| w.iter().filter(|w| **w != 0.0).count());
        let whole = block.clone();
        let broken = |error: String| Failure::Broken(error.into());
        let values = data.values_of(fit);
        let curve = Curve::new(vec![block], values.clone(), data.free.to_vec(), 1, self.level)
            .and_then(|curve| curve.with_cost(self.cost.clone()))
            .map_err(broken)?
            .with_linear(self.linear.clone());
        let (start, lower, upper) = (data.start.of(fit, p), data.lower.of(fit, p), data.upper.of(fit, p));
        if let Some(plan) = &self.robust {
            let rounds = Rounds { x: start.to_vec(), lower, upper, options: self.options, stopped };
            let counted = |i: usize| weights.is_none_or(|w| w[i] > 0.0);
            let (outcome, loss) = plan.minimize(curve, &counted, rounds)?;
            let mut x = values;
            data.free.iter().zip(&outcome.x).for_each(|(&j, &value)| x[j] = value);
            let sandwich = Sandwich::of(&whole, &x, &outcome.f, p, self.level, &loss, plan.redescends);
            return Ok(End::robust(outcome, sandwich, n_points));
        }
        let mut curve = curve;
        let mut observe = |_: &Progress<'_>| if stopped() { Control::Stop } else { Control::Continue };
        let outcome = minimize(&mut curve, start, lower, upper, self.options, &mut observe)?;
        let rss = match &self.cost {
            Some(Cost::Likelihood(family)) => {
                family.pearson(&outcome.f, whole.y.as_deref().map_or(&[], AsRef::as_ref), weights)
            }
            _ => 2.0 * outcome.cost,
        };
        let clear = outcome.is_clear();
        let covariance = if clear { inverse_gram(&outcome.linearization.factor, p) } else { None };
        Ok(End { outcome, rss, n_points, covariance, inner: None })
    }

    /// The rows of a fit that count.
    fn block(&self, fit: usize) -> Block {
        let (data, m) = (self.data, self.data.n_points);
        let mask = data.mask.map(|mask| &mask[fit * m..][..m]);
        let kept = |values: &[f64]| -> Values {
            Arc::new(match mask {
                None => values.to_vec(),
                Some(mask) => values.iter().zip(mask).filter(|(_, kept)| **kept).map(|(v, _)| *v).collect(),
            })
        };
        let y: Vec<f64> = (0..m).map(|i| data.y.at(fit * m + i)).collect();
        let weights = data.weights.map(|w| kept(w.of(fit, m)));
        let (w, cases) = match self.cost {
            Some(Cost::Likelihood(_)) => (None, weights),
            _ => (weights, None),
        };
        Block {
            programs: self.programs.clone(),
            columns: data.columns.iter().map(|c| kept(c.of(fit, m))).collect(),
            y: Some(kept(&y)),
            w,
            cases,
            n_rows: mask.map_or(m, |mask| mask.iter().filter(|kept| **kept).count()),
            n_outputs: 1,
        }
    }
}
