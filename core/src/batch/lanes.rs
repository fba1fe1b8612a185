//! Levenberg-Marquardt in lanes: what is known of the fits of a group on their way.

use super::step::Advance;
use super::{LaneModel, Row, Sums};
use crate::tape::{Level, Real};

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
pub(super) const ACCEPT: f64 = 1e-4;
/// Of the step before, the last one is this part at most.
pub(super) const FAST: f64 = 0.2;

/// What the numbers of a precision can tell.
pub(super) struct Limits {
    /// How long the last step may be, in standard errors: it is still taken, and leaves `FAST` of itself at most.
    pub last_step: f64,
    /// Where undamped steps shrink more slowly than that, the last one is so short,
    pub short: f64,
    /// and this part of the one before at most.
    pub slow: f64,
    /// A reduction of the cost below this part of it is not told from rounding errors,
    pub tiny: f64,
    /// which are below this part.
    pub slack: f64,
    /// The noise is at least this part of the response: of exact data it is 0.
    exact: f64,
    /// Smallest pivot of the normal matrix with columns of length one.
    pub pivot: f64,
    /// A standard error below this part of its parameter is in doubt, and so is a noise below `exact`.
    pub relative: Option<f64>,
}

/// A pivot of 1e-9 is a condition of about 3e4 of J.
const DOUBLE: Limits = Limits {
    last_step: 1e-3,
    short: 1e-6,
    slow: 1.0,
    tiny: 1e-13,
    slack: 1e-12,
    exact: 1e-12,
    pivot: 1e-9,
    relative: None,
};
/// Sums are wrong by some 1e-7: less than a percent of a pivot, and of a standard error; a residual changes by less than 1 %
/// of the noise, a parameter by less than 1 % of its error. The last step saves 7 to 13 % of the evaluations, and leaves
/// 1e-3 of a standard error. (3e-2 saves 14 to 22 %, but standard errors of one logistic in 600 are off by more than 1 %.)
const SINGLE: Limits = Limits {
    last_step: 5e-3,
    short: 3e-4,
    slow: 0.7,
    tiny: 6e-6,
    slack: 6e-5,
    exact: 3e-5,
    pivot: 5e-5,
    relative: Some(2e-5),
};

impl Limits {
    #[inline(always)]
    pub fn of<T: Real>() -> &'static Limits {
        if T::EPSILON < 1e-10 { &DOUBLE } else { &SINGLE }
    }
}

/// Sums of squares beyond these are not looked at in single precision: squares of its numbers end at 1e-38 and 3e38.
const SINGLE_SQUARES: std::ops::RangeInclusive<f64> = 1e-20..=1e20;

/// A bound holds a parameter where the undamped step would go beyond it by so many times the last step, in standard
/// errors: far more than that one may still change.
pub(super) const FORCE: f64 = 30.0;
/// Evaluations after which a fit is in doubt: who wanders that long may end in another minimum than the search of a single
/// fit. (With 20 instead of 25, 0.4 % of the logistic curves are made twice, with 25 0.02 %.)
pub(super) const PATIENCE: f64 = 25.0;
/// So many standard errors from zero a parameter has a sign. Where that is not the sign of its start, the curve may be
/// mirrored: of 10,008 fits of textbook and NIST curves 54 ended elsewhere than a single fit, with this and the limit of
/// evaluations one.
pub(super) const SIGN: f64 = 5.0;

/// A group of fits on their way.
pub struct Lanes<T: Real> {
    pub(super) p: usize,
    pub(super) likely: bool,
    pub(super) scaled: bool,
    pub(super) x: Vec<Row<T>>,
    pub(super) trial: Vec<Row<T>>,
    pub(super) start: Vec<Row<T>>,
    pub(super) lower: Vec<Row<T>>,
    pub(super) upper: Vec<Row<T>>,
    /// At `x`, and at `trial`.
    pub(super) here: Sums<T>,
    pub(super) there: Sums<T>,
    pub(super) damping: Row<T>,
    pub(super) growth: Row<T>,
    /// Reduction of the cost that the step to `trial` promises.
    pub(super) predicted: Row<T>,
    /// Square of the undamped step in standard errors, at the point before.
    pub(super) before: Row<T>,
    /// 1 before the first evaluation.
    pub(super) fresh: Row<T>,
    pub(super) nfev: Row<T>,
    /// The variance of a residual for a cost of one, 2 / (points less parameters), and what the cost is at least taken for.
    pub(super) per_degree: Row<T>,
    pub(super) floor: Row<T>,
    /// 1 where the model foresaw what the last step did that can be told from rounding errors.
    pub(super) foreseen: Row<T>,
    /// 1 where the fit has converged, 2 where it has at a bound, 3 where it is in doubt.
    pub(super) ended: Row<T>,
    /// Where fits ended: parameters, cost, standard errors, and (J'J)^-1, its lower triangle by rows, with the variance of
    /// a residual it is to be scaled by. NaN where a bound holds a parameter.
    pub(super) at: Vec<Row<T>>,
    pub(super) cost: Row<T>,
    pub(super) errors: Vec<Row<T>>,
    pub(super) inverse: Vec<Row<T>>,
    pub(super) scale: Row<T>,
}

/// What a fit begins with.
pub struct Start<'a> {
    pub x: &'a [f64],
    /// None: there are none.
    pub bounds: Option<(&'a [f64], &'a [f64])>,
    pub n_points: usize,
    /// Sum of squares of the weighted response.
    pub squares: f64,
}

impl<T: Real> Lanes<T> {
    /// For p parameters, of counts where `likely`, with errors that are `scaled` as those of `Data`.
    pub fn new(p: usize, likely: bool, scaled: bool) -> Self {
        let rows = |n| vec![Row::default(); n];
        let all = |value| {
            let mut row = Row::default();
            row.fill(T::of(value));
            row
        };
        Lanes {
            p,
            likely,
            scaled,
            x: rows(p),
            trial: rows(p),
            start: rows(p),
            lower: vec![all(f64::NEG_INFINITY); p],
            upper: vec![all(f64::INFINITY); p],
            here: Sums::new(p),
            there: Sums::new(p),
            damping: Row::default(),
            growth: Row::default(),
            predicted: Row::default(),
            before: Row::default(),
            fresh: Row::default(),
            nfev: Row::default(),
            per_degree: all(1.0),
            floor: Row::default(),
            foreseen: Row::default(),
            ended: Row::default(),
            at: rows(p),
            cost: Row::default(),
            errors: rows(p),
            inverse: rows(p * (p + 1) / 2),
            scale: all(1.0),
        }
    }

    /// Put a fit into a lane; false where it is in doubt before it begins.
    pub fn begin(&mut self, lane: usize, start: &Start) -> bool {
        let known = match Limits::of::<T>().relative {
            None => start.squares.is_finite(), // which it is not where a response is missing
            Some(_) => SINGLE_SQUARES.contains(&start.squares),
        };
        if start.n_points <= self.p || !known || !start.x.iter().all(|x| x.is_finite()) {
            return false;
        }
        for j in 0..self.p {
            let mut x = start.x[j];
            if let Some((lower, upper)) = start.bounds {
                (self.lower[j][lane], self.upper[j][lane]) = (T::of(lower[j]), T::of(upper[j]));
                x = x.max(lower[j]).min(upper[j]);
            }
            (self.trial[j][lane], self.start[j][lane]) = (T::of(x), T::of(x));
        }
        let limits = Limits::of::<T>();
        self.fresh[lane] = T::of(1.0);
        self.foreseen[lane] = T::of(1.0);
        self.nfev[lane] = T::of(0.0);
        self.damping[lane] = T::of(DAMPING);
        self.growth[lane] = T::of(2.0);
        self.before[lane] = T::of(f64::INFINITY);
        self.per_degree[lane] = T::of(2.0 / (start.n_points - self.p) as f64);
        self.floor[lane] = T::of(0.5 * limits.exact * limits.exact * start.squares + T::MIN_POSITIVE);
        true
    }

    /// One evaluation and what follows from it in every lane; lanes that ended are to be asked for with `end`.
    pub fn advance(&mut self, level: Level, model: &mut dyn LaneModel<T>) {
        model.evaluate(level, &self.trial, &mut self.there);
        level.run(Advance { lanes: self });
    }

    /// How the fit in a lane ended; None: it goes on.
    pub fn verdict(&self, lane: usize) -> Option<Verdict> {
        match self.ended[lane].double() {
            0.0 => None,
            1.0 => Some(Verdict::Converged),
            2.0 => Some(Verdict::AtBound),
            _ => Some(Verdict::Doubtful),
        }
    }

    /// Its parameters.
    pub fn parameters(&self, lane: usize) -> impl Iterator<Item = f64> {
        self.at.iter().map(move |row| row[lane].double())
    }

    pub fn cost(&self, lane: usize) -> f64 {
        self.cost[lane].double()
    }

    /// Sum of squares, or Pearson's chi-square.
    pub fn squares(&self, lane: usize) -> f64 {
        2.0 * if self.likely { self.here.pearson[lane] } else { self.cost[lane] }.double()
    }

    pub fn nfev(&self, lane: usize) -> u32 {
        self.nfev[lane].double() as u32
    }

    /// Its standard errors, NaN where a bound holds a parameter.
    pub fn errors(&self, lane: usize) -> impl Iterator<Item = f64> {
        self.errors.iter().map(move |row| row[lane].double())
    }

    /// An entry of its covariance matrix, j <= i.
    pub fn covariance(&self, lane: usize, i: usize, j: usize) -> f64 {
        self.inverse[i * (i + 1) / 2 + j][lane].double() * self.scale[lane].double()
    }
}
