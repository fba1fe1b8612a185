//! Fits one by one on the dense QR path, by several threads: what lanes do not certify, and what they cannot do.

use std::sync::{Arc, Mutex};

use super::data::Data;
use crate::cost::Cost;
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
}

impl Each<'_> {
    /// Makes the fits at the positions `which`, by `threads` threads: their ends in that order, the same for any number
    /// of threads. `None`: the fit cannot be evaluated, or `stopped` turned true before it.
    pub fn run(
        &self,
        which: &[usize],
        threads: usize,
        stopped: &(dyn Fn() -> bool + Sync),
    ) -> Vec<Option<End>> {
        let ends = Mutex::new(Vec::with_capacity(which.len()));
        let threads = threads.clamp(1, which.len().max(1));
        share(threads, &mut Vec::<()>::new(), which.iter(), |k, &fit, ()| {
            let end = if stopped() { None } else { self.fit(fit, stopped).ok() };
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
        let y = block.y.clone();
        let broken = |error: String| Failure::Broken(error.into());
        let values = data.values_of(fit);
        let mut curve = Curve::new(vec![block], values, data.free.to_vec(), 1, self.level)
            .and_then(|curve| curve.with_cost(self.cost.clone()))
            .map_err(broken)?
            .with_linear(self.linear.clone());
        let (start, lower, upper) = (data.start.of(fit, p), data.lower.of(fit, p), data.upper.of(fit, p));
        let mut observe = |_: &Progress<'_>| if stopped() { Control::Stop } else { Control::Continue };
        let outcome = minimize(&mut curve, start, lower, upper, self.options, &mut observe)?;
        let rss = match &self.cost {
            Some(Cost::Likelihood(family)) => {
                family.pearson(&outcome.f, y.as_deref().map_or(&[], AsRef::as_ref), weights)
            }
            _ => 2.0 * outcome.cost,
        };
        Ok(End { outcome, rss, n_points })
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
