//! What residuals cost where it is not their squares: a loss of each, or a likelihood beside the data.

use std::borrow::Cow;

use crate::evaluate::reduction::{self, Reduction};
use crate::likelihood::Family;
use crate::loss::{Part, Robust, Row};

#[derive(Clone, Debug)]
pub enum Cost {
    Robust(Robust),
    Likelihood(Family),
}

/// A cost with the data of a run of rows, which a likelihood needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CostOf<'a> {
    pub cost: &'a Cost,
    pub part: Part,
    pub y: &'a [f64],
    /// How often each row counts; with binomial proportions the number of trials.
    pub cases: Option<&'a [f64]>,
}

impl Cost {
    /// Whether it ends where a mean is zero.
    pub(crate) fn has_edge(&self) -> bool {
        matches!(self, Cost::Likelihood(_))
    }

    /// Whether the exact curvature may be above that of the model.
    pub(crate) fn has_shortfall(&self) -> bool {
        matches!(self, Cost::Likelihood(_))
    }
}

impl<'a> CostOf<'a> {
    fn case(&self, i: usize) -> f64 {
        self.cases.map_or(1.0, |w| w[i])
    }

    /// The same for some of the rows.
    pub(crate) fn rows(self, start: usize, len: usize) -> Self {
        let y = if self.y.is_empty() { self.y } else { &self.y[start..][..len] };
        CostOf { y, cases: self.cases.map(|w| &w[start..][..len]), ..self }
    }

    /// The reduction of the sum of terms, term by term. Not finite where f1 is not, or is refused.
    pub(crate) fn reduction(&self, f: &[f64], f1: &[f64]) -> Reduction {
        match self.cost {
            Cost::Robust(loss) => loss.reduction(f, f1),
            Cost::Likelihood(family) => family.reduction(self.y, self.cases, f, f1),
        }
    }

    /// Calls `take` with the derivative of half of each term by its residual.
    pub(crate) fn each_slope(&self, f: &[f64], mut take: impl FnMut(usize, f64)) {
        match self.cost {
            Cost::Robust(loss) => loss.each(f, |i, rho| take(i, rho.slope * f[i])),
            Cost::Likelihood(family) => f.iter().enumerate().for_each(|(i, &f)| {
                take(i, family.slope(self.y[i], f, self.case(i)));
            }),
        }
    }

    /// Calls `take` with the weight of J J' in the model, row by row.
    pub(crate) fn each_curvature(&self, f: &[f64], mut take: impl FnMut(usize, f64)) {
        match self.cost {
            Cost::Robust(loss) => loss.each(f, |i, rho| take(i, rho.curvature)),
            Cost::Likelihood(family) => f.iter().enumerate().for_each(|(i, &f)| {
                take(i, family.curvature(self.y[i], f, self.case(i)));
            }),
        }
    }

    /// Calls `take` with what becomes of each row of [J f].
    pub(crate) fn each_row(&self, f: &[f64], mut take: impl FnMut(usize, Row)) {
        match self.cost {
            Cost::Robust(loss) => loss.each(f, |i, rho| take(i, rho.row(self.part, f[i]))),
            Cost::Likelihood(family) => f.iter().enumerate().for_each(|(i, &f)| {
                take(i, family.row(self.part, self.y[i], f, self.case(i)));
            }),
        }
    }
}

/// The reduction of rss, or of what costs.
#[inline(always)]
pub(crate) fn reduction(cost: Option<CostOf>, f: &[f64], f1: &[f64]) -> Reduction {
    match cost {
        None => reduction::reduction(f, f1),
        Some(cost) => cost.reduction(f, f1),
    }
}

/// Derivatives of half the terms by the residuals.
pub(crate) fn slopes<'f>(cost: Option<CostOf>, f: &'f [f64]) -> Cow<'f, [f64]> {
    let Some(cost) = cost else { return f.into() };
    let mut slopes = vec![0.0; f.len()];
    cost.each_slope(f, |i, slope| slopes[i] = slope);
    slopes.into()
}

/// Adds R'R times a sign, R the leading part of the triangular factor of [J f], to a symmetric matrix.
pub(crate) fn add_gram(sign: f64, factor: &[f64], out: &mut [f64]) {
    let n = out.len().isqrt();
    for j in 0..n {
        for l in 0..n {
            let sum: f64 = (0..=j.min(l)).map(|i| factor[i * (n + 1) + j] * factor[i * (n + 1) + l]).sum();
            out[j * n + l] += sign * sum;
        }
    }
}
