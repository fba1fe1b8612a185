//! Likelihoods of counts. The model is the mean mu, the cost half the deviance, f = mu - y.
//!
//! With h(y, f) = f - y log(1 + f/y) half the deviance of Poisson counts is sum h(y, f), that of proportions y out
//! of w trials sum w (h(y, f) + h(1 - y, -f)): a binomial row is two Poisson rows, of successes and of failures.

use crate::evaluate::reduction::Reduction;
use crate::loss::{Part, Row};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Family {
    /// Counts y; a weight counts how often.
    Poisson,
    /// Proportions y, each of so many trials as its weight says.
    Binomial,
}

/// First and second derivatives of half a term by mu, and the expectation of the second one (Fisher's).
#[derive(Clone, Copy, Debug, Default)]
struct Slopes {
    slope: f64,
    exact: f64,
    fisher: f64,
    /// fisher - exact, where their difference would cancel.
    excess: f64,
}

impl Family {
    /// The Poisson rows (y, f) that a row consists of; the sign is that of df.
    #[inline]
    fn sides(self, y: f64, f: f64) -> [(f64, f64, f64); 2] {
        match self {
            Family::Poisson => [(y, f, 1.0), (0.0, 0.0, 0.0)],
            Family::Binomial => [(y, f, 1.0), (1.0 - y, -f, -1.0)],
        }
    }

    /// The part of the deviance of one row: infinite where the model is no mean.
    #[inline]
    pub fn term(self, y: f64, f: f64, w: f64) -> f64 {
        2.0 * w * self.sides(y, f).map(|(y, f, _)| half_deviance(y, f)).iter().sum::<f64>()
    }

    /// Pearson's chi-square, the sum of squared residuals in standard deviations.
    pub fn pearson(self, f: &[f64], y: &[f64], cases: Option<&[f64]>) -> f64 {
        let case = |i: usize| cases.map_or(1.0, |w| w[i]);
        f.iter().zip(y).enumerate().map(|(i, (&f, &y))| f * f * self.slopes(y, f, case(i)).fisher).sum()
    }

    #[inline]
    fn slopes(self, y: f64, f: f64, w: f64) -> Slopes {
        let mut sum = Slopes::default();
        for (y, f, sign) in self.sides(y, f) {
            if sign == 0.0 {
                continue;
            }
            let mu = y + f;
            // A mean of zero where nothing was counted: mostly exp(-800), where J is zero too. Fisher's weight 1/mu
            // does not exist; the slope does.
            let row = if mu == 0.0 {
                Slopes { slope: 1.0, exact: 0.0, fisher: 1.0, excess: 1.0 }
            } else {
                Slopes { slope: f / mu, exact: y / mu / mu, fisher: 1.0 / mu, excess: f / mu / mu }
            };
            sum.slope += sign * w * row.slope;
            sum.exact += w * row.exact;
            sum.fisher += w * row.fisher;
            sum.excess += w * row.excess;
        }
        sum
    }

    /// Derivative of half the term.
    #[inline]
    pub fn slope(self, y: f64, f: f64, w: f64) -> f64 {
        self.slopes(y, f, w).slope
    }

    /// Weight of J J' in the model: Fisher's.
    #[inline]
    pub fn curvature(self, y: f64, f: f64, w: f64) -> f64 {
        self.slopes(y, f, w).fisher
    }

    #[inline]
    pub(crate) fn row(self, part: Part, y: f64, f: f64, w: f64) -> Row {
        let Slopes { slope, exact, fisher, excess } = self.slopes(y, f, w);
        let row = match part {
            Part::Model => fisher.sqrt(),
            Part::Excess => excess.max(0.0).sqrt(),
            Part::Shortfall => (-excess).max(0.0).sqrt(),
        };
        match part {
            Part::Model if row > 0.0 => Row { row, f: slope / row, noise: fisher.max(exact) / row },
            _ => Row { row, f: 0.0, noise: 0.0 },
        }
    }

    /// The reduction of the deviance, without the cancellation of a difference of terms.
    pub fn reduction(self, y: &[f64], w: Option<&[f64]>, f: &[f64], f1: &[f64]) -> Reduction {
        let mut sums = Reduction::default();
        for (i, (&a, &b)) in f.iter().zip(f1).enumerate() {
            let (y, w) = (y[i], w.map_or(1.0, |w| w[i]));
            if w == 0.0 {
                continue;
            }
            let after = self.term(y, b, w) + 0.0 * b;
            sums.total += after;
            if a != b {
                let rise: f64 = self.sides(y, a).iter().map(|&(y, f, sign)| rise(y, f, sign * (b - a))).sum();
                sums.actual -= if after.is_finite() { 2.0 * w * rise } else { after };
                sums.before += self.term(y, a, w);
                sums.after += after;
                sums.rows += 1;
            }
        }
        sums
    }
}

/// f - y log(1 + f/y), infinite beyond the range of means.
#[inline]
fn half_deviance(y: f64, f: f64) -> f64 {
    if y == 0.0 {
        return if f < 0.0 { f64::INFINITY } else { f };
    }
    if y + f <= 0.0 { f64::INFINITY } else { y * above_log(f / y) }
}

/// By how much half the deviance rises when f becomes f + d.
#[inline]
fn rise(y: f64, f: f64, d: f64) -> f64 {
    let mu = y + f;
    if mu == 0.0 {
        return d;
    }
    let u = d / mu;
    u * f + if y == 0.0 { 0.0 } else { y * above_log(u) }
}

/// v - log(1 + v), accurate near zero: v r - 2 r^3 (1/3 + r^2/5 + r^4/7 + ...) with r = v / (2 + v).
#[inline]
fn above_log(v: f64) -> f64 {
    if v.abs() >= 0.25 {
        return v - v.ln_1p();
    }
    let r = v / (2.0 + v);
    let s = r * r;
    let series = (0..10).rev().fold(0.0, |sum, k| sum * s + 1.0 / f64::from(2 * k + 3));
    v * r - 2.0 * r * s * series
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [(Family, f64, f64); 7] = [
        (Family::Poisson, 0.0, 0.3),
        (Family::Poisson, 4.0, -1.5),
        (Family::Poisson, 4.0, 1e-9),
        (Family::Poisson, 1000.0, 60.0),
        (Family::Binomial, 0.0, 0.3),
        (Family::Binomial, 1.0, -0.4),
        (Family::Binomial, 0.25, 0.5),
    ];

    #[test]
    fn each_derivative_is_that_of_the_one_before() {
        for (family, y, f) in ROWS {
            let h = 1e-6 * (y + f);
            let at = family.slopes(y, f, 3.0);
            let half = |f| 0.5 * family.term(y, f, 3.0);
            let slope = (half(f + h) - half(f - h)) / (2.0 * h);
            assert!((slope - at.slope).abs() < 1e-8 * (1.0 + at.slope.abs()), "{family:?} {y} {f}");
            let bend = (family.slope(y, f + h, 3.0) - family.slope(y, f - h, 3.0)) / (2.0 * h);
            assert!((bend - at.exact).abs() < 1e-8 * (1.0 + at.exact), "{family:?} {y} {f}");
            assert!((at.fisher - at.exact - at.excess).abs() < 1e-12 * at.fisher);
        }
    }

    #[test]
    fn rows_give_gradient_and_curvatures() {
        for (family, y, f) in ROWS {
            let [model, excess, shortfall] =
                [Part::Model, Part::Excess, Part::Shortfall].map(|part| family.row(part, y, f, 2.0));
            let at = family.slopes(y, f, 2.0);
            assert!((model.row * model.f - at.slope).abs() <= 1e-14 * at.slope.abs());
            let exact = model.row * model.row - excess.row * excess.row + shortfall.row * shortfall.row;
            assert!((exact - at.exact).abs() <= 1e-12 * at.fisher, "{family:?} {y} {f}");
        }
    }

    #[test]
    fn a_small_reduction_does_not_cancel() {
        for (family, y, f) in ROWS {
            let d = 1e-12 * (y + f);
            let found = family.reduction(&[y], None, &[f], &[f + d]).actual;
            let moved = (f + d) - f;
            let linear = -2.0 * family.slope(y, f, 1.0) * moved;
            let bend = family.slopes(y, f, 1.0).exact * moved * moved;
            assert!(
                (found - linear + bend).abs() <= 1e-10 * linear.abs() + 1e-10 * bend,
                "{family:?} {y} {f}"
            );
        }
    }

    #[test]
    fn what_is_no_mean_is_refused() {
        for (family, y, bad) in [
            (Family::Poisson, 0.0, -1e-300),
            (Family::Poisson, 2.0, -2.0),
            (Family::Binomial, 0.5, 0.5),
            (Family::Binomial, 0.5, -0.6),
            (Family::Poisson, 2.0, f64::NAN),
            (Family::Poisson, 2.0, f64::INFINITY),
        ] {
            let change = family.reduction(&[y], None, &[0.1], &[bad]);
            assert!(!change.actual.is_finite() && !change.total.is_finite(), "{family:?} {y} {bad}");
        }
        assert_eq!(Family::Poisson.term(0.0, 0.0, 1.0), 0.0);
        assert_eq!(Family::Binomial.term(1.0, 0.0, 5.0), 0.0);
    }

    #[test]
    fn a_huge_constant_row_does_not_change_the_reduction() {
        let alone = Family::Poisson.reduction(&[3.0], None, &[1.0], &[0.9]);
        let beside = Family::Poisson.reduction(&[3.0, 1e12], None, &[1.0, 1e13], &[0.9, 1e13]);
        assert_eq!((alone.actual, alone.rows), (beside.actual, beside.rows));
    }
}
