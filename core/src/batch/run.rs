//! All fits of a job, range by range, each range through one group of lanes.

use super::LaneModel;
use super::data::Data;
use super::grid::{Grid, GridLanes};
use super::lanes::{Lanes, Start, Verdict};
use super::tape::TapeLanes;
use crate::evaluate::jobs::share;
use crate::minimize::Status;
use crate::tape::{Level, Real, Tape};

/// Fits of a range: enough that lanes which wait at its end cost little (with twice as many results leave the cache, 5 %).
const MOST: usize = 2048;
/// Ranges become shorter towards the end, that threads end together: 8 % of the time of 100,000 fits of 225 points.
const LEAST: usize = 256;

/// Where the fits ended: one entry for each, or p, or p x p. Of fits in doubt only the status says something.
pub struct Ends<'a> {
    pub x: &'a mut [f64],
    pub cost: &'a mut [f64],
    /// Sum of squares, or Pearson's chi-square.
    pub rss: &'a mut [f64],
    /// That of `minimize`, where it is certified; else `in_doubt`.
    pub status: &'a mut [i8],
    pub in_doubt: i8,
    /// Evaluations of the model, and of its derivatives.
    pub nfev: &'a mut [i32],
    pub njev: &'a mut [i32],
    pub n_points: &'a mut [i32],
    /// Parameters that the data determine.
    pub rank: &'a mut [i16],
    /// Standard errors.
    pub stderr: &'a mut [f64],
    pub covariance: Option<&'a mut [f64]>,
}

impl<'a> Ends<'a> {
    /// Do the lengths fit k fits of p parameters? The error names what does not.
    pub fn check(&self, k: usize, p: usize) -> Result<(), String> {
        let lengths = [
            ("x", self.x.len(), k * p),
            ("cost", self.cost.len(), k),
            ("rss", self.rss.len(), k),
            ("status", self.status.len(), k),
            ("nfev", self.nfev.len(), k),
            ("njev", self.njev.len(), k),
            ("n_points", self.n_points.len(), k),
            ("rank", self.rank.len(), k),
            ("stderr", self.stderr.len(), k * p),
            ("covariance", self.covariance.as_ref().map_or(k * p * p, |c| c.len()), k * p * p),
        ];
        match lengths.iter().find(|(_, found, wanted)| found != wanted) {
            Some((name, found, wanted)) => Err(format!("{name} has {found} places instead of {wanted}")),
            None => Ok(()),
        }
    }

    /// As of fits in doubt before they begin.
    fn clear(&mut self, p: usize) {
        self.status.fill(self.in_doubt);
        self.nfev.fill(0);
        self.njev.fill(0);
        self.rank.fill(p as i16);
    }

    /// The first `k` fits, and the others.
    fn split(self, k: usize, p: usize) -> (Ends<'a>, Ends<'a>) {
        let (x, x_rest) = self.x.split_at_mut(k * p);
        let (cost, cost_rest) = self.cost.split_at_mut(k);
        let (rss, rss_rest) = self.rss.split_at_mut(k);
        let (status, status_rest) = self.status.split_at_mut(k);
        let (nfev, nfev_rest) = self.nfev.split_at_mut(k);
        let (njev, njev_rest) = self.njev.split_at_mut(k);
        let (n_points, points_rest) = self.n_points.split_at_mut(k);
        let (rank, rank_rest) = self.rank.split_at_mut(k);
        let (stderr, stderr_rest) = self.stderr.split_at_mut(k * p);
        let (covariance, covariance_rest) = self.covariance.map(|c| c.split_at_mut(k * p * p)).unzip();
        let in_doubt = self.in_doubt;
        let first = Ends { x, cost, rss, status, in_doubt, nfev, njev, n_points, rank, stderr, covariance };
        let rest = Ends {
            x: x_rest,
            cost: cost_rest,
            rss: rss_rest,
            status: status_rest,
            in_doubt,
            nfev: nfev_rest,
            njev: njev_rest,
            n_points: points_rest,
            rank: rank_rest,
            stderr: stderr_rest,
            covariance: covariance_rest,
        };
        (first, rest)
    }
}

/// What the lanes evaluate.
#[derive(Clone, Copy)]
pub enum Way<'a> {
    /// The model and its derivatives at every point.
    Points(&'a Tape),
    /// Sums of products on a grid.
    Products(&'a Grid),
}

type Model<'a, T> = Box<dyn LaneModel<T> + Send + 'a>;

impl<'a> Way<'a> {
    /// None where lanes do not take this model or these data.
    fn model<T: Real>(self, data: &'a Data<'a>) -> Option<Model<'a, T>> {
        match self {
            Way::Points(tape) => Some(Box::new(TapeLanes::new(tape, data)?)),
            Way::Products(grid) => Some(Box::new(GridLanes::new(grid, data)?)),
        }
    }
}

/// Makes all fits by `threads` threads, in lanes of numbers `T`. A fit's end depends neither on the number of threads nor
/// on the fits around it. False where lanes do not take this model or these data.
pub fn run<'a, T: Real>(
    way: Way<'a>,
    data: &'a Data<'a>,
    level: Level,
    threads: usize,
    mut ends: Ends,
) -> bool {
    let (k, p) = (data.n_fits, data.free.len());
    match way.model::<T>(data) {
        None => return false,
        Some(model) if model.family() != data.family => {
            ends.clear(p); // all in doubt: it knows nothing of this likelihood
            return true;
        }
        Some(_) => (),
    }
    let mut pieces = Vec::new();
    let (mut first, mut rest) = (0, ends);
    while first < k {
        let fits = ((k - first) / (4 * threads.max(1))).clamp(LEAST, MOST).min(k - first);
        let (piece, others) = rest.split(fits, p);
        pieces.push((first, piece));
        (first, rest) = (first + fits, others);
    }
    let bounded = data.is_bounded();
    let mut workers: Vec<Option<(Model<T>, Lanes<T>)>> = Vec::new();
    let threads = threads.clamp(1, pieces.len().max(1));
    share(threads, &mut workers, pieces.into_iter(), |_, (first, piece), worker| {
        if worker.is_none() {
            let lanes = Lanes::new(p, data.family.is_some(), data.scaled);
            *worker = way.model(data).map(|model| (model, lanes));
        }
        if let Some((model, lanes)) = worker {
            Range { data, bounded, first, next: 0, ends: piece }.run(level, &mut **model, lanes);
        }
    });
    true
}

/// Some fits of a job, one after another.
struct Range<'a, 'd> {
    data: &'a Data<'d>,
    bounded: bool,
    first: usize,
    /// The next fit to begin, counted from `first`.
    next: usize,
    ends: Ends<'a>,
}

impl<'a> Range<'_, 'a> {
    fn run<T: Real>(mut self, level: Level, model: &mut dyn LaneModel<T>, lanes: &mut Lanes<T>) {
        self.ends.clear(self.data.free.len());
        let mut fits = vec![None; T::WIDTH];
        for (lane, fit) in fits.iter_mut().enumerate() {
            *fit = self.refill(lane, model, lanes);
        }
        while fits.iter().any(Option::is_some) {
            lanes.advance(level, model);
            for (lane, of) in fits.iter_mut().enumerate() {
                if let Some(verdict) = lanes.verdict(lane)
                    && let Some(fit) = *of
                {
                    self.write(fit, lane, lanes, verdict);
                    *of = self.refill(lane, model, lanes);
                }
            }
        }
    }

    /// Begin the next fit in a lane that is free; those in doubt from the first are passed over.
    fn refill<T: Real>(
        &mut self,
        lane: usize,
        model: &mut dyn LaneModel<T>,
        lanes: &mut Lanes<T>,
    ) -> Option<usize> {
        let (data, p) = (self.data, self.data.free.len());
        while self.next < self.ends.cost.len() {
            let fit = self.next;
            let number = self.first + fit;
            self.next += 1;
            let size = model.load(number, lane);
            self.ends.n_points[fit] = size.n_points as i32;
            let start = Start {
                x: data.start.of(number, p),
                bounds: self.bounds(number),
                n_points: size.n_points,
                squares: size.squares,
            };
            if !data.is_constant(number) && lanes.begin(lane, &start) {
                return Some(fit);
            }
        }
        None
    }

    fn bounds(&self, number: usize) -> Option<(&'a [f64], &'a [f64])> {
        let p = self.data.free.len();
        self.bounded.then(|| (self.data.lower.of(number, p), self.data.upper.of(number, p)))
    }

    fn write<T: Real>(&mut self, fit: usize, lane: usize, lanes: &Lanes<T>, verdict: Verdict) {
        let (p, bounds) = (self.data.free.len(), self.bounds(self.first + fit));
        let ends = &mut self.ends;
        let x = &mut ends.x[fit * p..][..p];
        x.iter_mut().zip(lanes.parameters(lane)).for_each(|(to, x)| *to = x);
        for (x, (&low, &high)) in
            x.iter_mut().zip(bounds.iter().flat_map(|(low, high)| low.iter().zip(*high)))
        {
            // A bound that a lane has rounded is the bound.
            let rounded = |bound| T::of(bound).double();
            if *x <= rounded(low) {
                *x = low;
            } else if *x >= rounded(high) {
                *x = high;
            }
        }
        ends.cost[fit] = lanes.cost(lane);
        (ends.nfev[fit], ends.njev[fit]) = (lanes.nfev(lane) as i32, lanes.nfev(lane) as i32);
        ends.rss[fit] = lanes.squares(lane);
        ends.status[fit] = match verdict {
            Verdict::Converged => Status::Converged as i8,
            Verdict::AtBound => Status::ConvergedAtBound as i8,
            Verdict::Doubtful => ends.in_doubt,
        };
        let stderr = &mut ends.stderr[fit * p..][..p];
        stderr.iter_mut().zip(lanes.errors(lane)).for_each(|(to, error)| *to = error);
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
