//! Levenberg-Marquardt in lanes: what is known of the fits of a group on their way.

use super::step::Advance;
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
pub(super) const ACCEPT: f64 = 1e-4;
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
pub(super) const FAST: f64 = 0.2;
/// Where undamped steps shrink more slowly than that, the last one is so short.
pub(super) const SHORT: f64 = 1e-6;
/// Standard errors are at least this part of the response: of exact data they are 0.
const EXACT: f64 = 1e-12;
/// Smallest pivot of the normal matrix with columns of length one: 1e-9 is a condition of about 3e4 of J.
pub(super) const PIVOT: f64 = 1e-9;
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
pub struct Lanes {
    pub(super) p: usize,
    pub(super) last_step: f64,
    pub(super) likely: bool,
    pub(super) x: Vec<Row>,
    pub(super) trial: Vec<Row>,
    pub(super) start: Vec<Row>,
    pub(super) lower: Vec<Row>,
    pub(super) upper: Vec<Row>,
    /// At `x`, and at `trial`.
    pub(super) here: Sums,
    pub(super) there: Sums,
    pub(super) damping: Row,
    pub(super) growth: Row,
    /// Reduction of the cost that the step to `trial` promises.
    pub(super) predicted: Row,
    /// Square of the undamped step in standard errors, at the point before.
    pub(super) before: Row,
    /// 1 before the first evaluation.
    pub(super) fresh: Row,
    pub(super) nfev: Row,
    /// The variance of a residual for a cost of one, 2 / (points less parameters), and what the cost is at least taken for.
    pub(super) per_degree: Row,
    pub(super) floor: Row,
    /// 1 where the model foresaw what the last step did that can be told from rounding errors.
    pub(super) foreseen: Row,
    /// 1 where the fit has converged, 2 where it has at a bound, 3 where it is in doubt.
    pub(super) ended: Row,
    /// Where fits ended: parameters, cost, and (J'J)^-1, its lower triangle by rows, NaN where a bound holds a parameter.
    pub(super) at: Vec<Row>,
    pub(super) cost: Row,
    pub(super) covariance: Vec<Row>,
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

impl Lanes {
    /// For p parameters, of counts where `likely`.
    pub fn new(p: usize, precision: Precision, likely: bool) -> Self {
        let rows = |n| vec![Row::default(); n];
        Lanes {
            p,
            last_step: precision.last_step(),
            likely,
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
            before: Row::default(),
            fresh: Row::default(),
            nfev: Row::default(),
            per_degree: Row([1.0; WIDTH]),
            floor: Row::default(),
            foreseen: Row::default(),
            ended: Row::default(),
            at: rows(p),
            cost: Row::default(),
            covariance: rows(p * (p + 1) / 2),
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
        self.per_degree.0[lane] = 2.0 / (start.n_points - self.p) as f64;
        self.floor.0[lane] = 0.5 * EXACT * EXACT * start.squares + f64::MIN_POSITIVE;
        true
    }

    /// One evaluation and what follows from it in every lane; lanes that ended are to be asked for with `end`.
    pub fn advance(&mut self, level: Level, model: &mut dyn LaneModel) {
        model.evaluate(level, &self.trial, &mut self.there);
        level.run(Advance { lanes: self });
    }

    /// How the fit in a lane ended; None: it goes on.
    pub fn verdict(&self, lane: usize) -> Option<Verdict> {
        match self.ended.0[lane] {
            0.0 => None,
            1.0 => Some(Verdict::Converged),
            2.0 => Some(Verdict::AtBound),
            _ => Some(Verdict::Doubtful),
        }
    }

    /// Its parameters.
    pub fn parameters(&self, lane: usize) -> impl Iterator<Item = f64> {
        self.at.iter().map(move |row| row.0[lane])
    }

    pub fn cost(&self, lane: usize) -> f64 {
        self.cost.0[lane]
    }

    /// Sum of squares, or Pearson's chi-square.
    pub fn squares(&self, lane: usize) -> f64 {
        2.0 * if self.likely { self.here.pearson.0[lane] } else { self.cost.0[lane] }
    }

    pub fn nfev(&self, lane: usize) -> u32 {
        self.nfev.0[lane] as u32
    }

    /// An entry of (J'J)^-1, j <= i; NaN where a bound holds a parameter.
    pub fn covariance(&self, lane: usize, i: usize, j: usize) -> f64 {
        self.covariance[i * (i + 1) / 2 + j].0[lane]
    }
}
