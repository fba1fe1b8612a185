//! All fits of a job, range by range, each range through one group of lanes.

use super::data::Data;
use super::lanes::{Lanes, Precision, Start, Verdict};
use super::{LaneModel, WIDTH};
use crate::evaluate::jobs::share;
use crate::minimize::Status;
use crate::tape::Level;

/// Fits of a range: enough that lanes which wait at its end cost little, few enough that threads end together.
const RANGE: usize = 2048;

/// Where the fits ended: one entry for each, or p, or p x p.
pub struct Ends<'a> {
    pub x: &'a mut [f64],
    pub cost: &'a mut [f64],
    /// Sum of squares, or Pearson's chi-square.
    pub rss: &'a mut [f64],
    /// That of `minimize`, where it is certified; else -1.
    pub status: &'a mut [i8],
    pub nfev: &'a mut [i32],
    pub n_points: &'a mut [i32],
    /// Diagonal of (J'J)^-1.
    pub variance: &'a mut [f64],
    pub covariance: Option<&'a mut [f64]>,
}

impl<'a> Ends<'a> {
    /// The first `k` fits, and the others.
    fn split(self, k: usize, p: usize) -> (Ends<'a>, Ends<'a>) {
        let (x, x_rest) = self.x.split_at_mut(k * p);
        let (cost, cost_rest) = self.cost.split_at_mut(k);
        let (rss, rss_rest) = self.rss.split_at_mut(k);
        let (status, status_rest) = self.status.split_at_mut(k);
        let (nfev, nfev_rest) = self.nfev.split_at_mut(k);
        let (n_points, points_rest) = self.n_points.split_at_mut(k);
        let (variance, variance_rest) = self.variance.split_at_mut(k * p);
        let (covariance, covariance_rest) = self.covariance.map(|c| c.split_at_mut(k * p * p)).unzip();
        let first = Ends { x, cost, rss, status, nfev, n_points, variance, covariance };
        let rest = Ends {
            x: x_rest,
            cost: cost_rest,
            rss: rss_rest,
            status: status_rest,
            nfev: nfev_rest,
            n_points: points_rest,
            variance: variance_rest,
            covariance: covariance_rest,
        };
        (first, rest)
    }
}

/// Makes all fits by `threads` threads, each with a model of its own. A fit's end depends neither on their number nor on
/// the fits around it.
pub fn run<M: LaneModel + Send>(
    make: &(dyn Fn() -> M + Sync),
    data: &Data,
    level: Level,
    precision: Precision,
    threads: usize,
    ends: Ends,
) {
    let (k, p) = (data.n_fits, data.free.len());
    if make().family() != data.family {
        return; // all in doubt: the model knows nothing of this likelihood
    }
    let mut pieces = Vec::with_capacity(k.div_ceil(RANGE));
    let mut rest = ends;
    for first in (0..k).step_by(RANGE) {
        let (piece, others) = rest.split(RANGE.min(k - first), p);
        pieces.push((first, piece));
        rest = others;
    }
    let mut workers: Vec<Option<(M, Lanes)>> = Vec::new();
    let threads = threads.clamp(1, pieces.len().max(1));
    share(threads, &mut workers, pieces.into_iter(), |_, (first, piece), worker| {
        let make = || (make(), Lanes::new(p, precision, data.family.is_some()));
        let (model, lanes) = worker.get_or_insert_with(make);
        Range { data, first, next: 0, ends: piece, fits: [None; WIDTH] }.run(level, model, lanes);
    });
}

struct Range<'a, 'd> {
    data: &'a Data<'d>,
    first: usize,
    /// The next fit to begin, counted from `first`.
    next: usize,
    ends: Ends<'a>,
    /// The fit in each lane.
    fits: [Option<usize>; WIDTH],
}

impl Range<'_, '_> {
    fn run<M: LaneModel>(mut self, level: Level, model: &mut M, lanes: &mut Lanes) {
        (0..WIDTH).for_each(|lane| self.refill(lane, model, lanes));
        while self.fits.iter().any(Option::is_some) {
            lanes.advance(level, model);
            for lane in 0..WIDTH {
                if let Some(verdict) = lanes.verdict(lane)
                    && let Some(fit) = self.fits[lane]
                {
                    self.write(fit, lane, lanes, verdict);
                    self.refill(lane, model, lanes);
                }
            }
        }
    }

    /// Begin the next fit in a lane that is free; those in doubt from the first are passed over.
    fn refill<M: LaneModel>(&mut self, lane: usize, model: &mut M, lanes: &mut Lanes) {
        let (data, p) = (self.data, self.data.free.len());
        self.fits[lane] = None;
        while self.next < self.ends.cost.len() {
            let fit = self.next;
            let number = self.first + fit;
            self.next += 1;
            let size = model.load(number, lane);
            self.ends.n_points[fit] = size.n_points as i32;
            let start = Start {
                x: data.start.of(number, p),
                lower: data.lower.of(number, p),
                upper: data.upper.of(number, p),
                n_points: size.n_points,
                squares: size.squares,
            };
            if lanes.begin(lane, &start) {
                self.fits[lane] = Some(fit);
                return;
            }
        }
    }

    fn write(&mut self, fit: usize, lane: usize, lanes: &Lanes, verdict: Verdict) {
        let p = self.data.free.len();
        let ends = &mut self.ends;
        ends.x[fit * p..][..p].iter_mut().zip(lanes.parameters(lane)).for_each(|(to, x)| *to = x);
        ends.cost[fit] = lanes.cost(lane);
        ends.nfev[fit] = lanes.nfev(lane) as i32;
        ends.rss[fit] = lanes.squares(lane);
        ends.status[fit] = match verdict {
            Verdict::Converged => Status::Converged as i8,
            Verdict::AtBound => Status::ConvergedAtBound as i8,
            Verdict::Doubtful => -1,
        };
        let variance = &mut ends.variance[fit * p..][..p];
        variance.iter_mut().enumerate().for_each(|(i, to)| *to = lanes.covariance(lane, i, i));
        if let Some(covariance) = &mut ends.covariance {
            let own = &mut covariance[fit * p * p..][..p * p];
            for i in 0..p {
                for j in 0..=i {
                    (own[i * p + j], own[j * p + i]) =
                        (lanes.covariance(lane, i, j), lanes.covariance(lane, i, j));
                }
            }
        }
    }
}
