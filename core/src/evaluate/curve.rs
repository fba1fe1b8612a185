//! Least squares of models given as tapes: f = (model - y) w, evaluated block by block, the Jacobian never stored.

use std::borrow::Cow;
use std::sync::Mutex;

pub use super::block::{Block, Programs, Values};
use super::jobs::{self, Job};
use super::piece::{Piece, Worker};
use super::reduction::Reduction;
use super::{Evaluate, Failure, Linearization};
use crate::cost::{self, Cost};
use crate::loss::Part;
use crate::tape::{Level, Tape};

/// A curve fit. Residuals are ordered block after block, within a block output after output.
pub struct Curve {
    blocks: Vec<Block>,
    /// All parameters; the free ones are overwritten at each evaluation.
    params: Vec<f64>,
    free: Vec<usize>,
    threads: usize,
    level: Level,
    cost: Option<Cost>,
    /// Free parameters that may be projected out.
    linear: Vec<usize>,
    jobs: Vec<Job>,
    /// First residual of each block.
    offsets: Vec<usize>,
    n_residuals: usize,
    guarded: bool,
    workers: Vec<Worker>,
    /// Sums of each job.
    partial: Vec<(Linearization, Reduction)>,
    /// All parameters and a direction; sums along it; Hessians of each job.
    params_along: Vec<f64>,
    along: Linearization,
    hessians: Vec<f64>,
    scratch: Vec<f64>,
}

/// Workers left by earlier curves. A small fit is over in some ten microseconds; making its workspace anew, some
/// dozens of columns of 2 kB, took as long again.
static IDLE: Mutex<Vec<Vec<Worker>>> = Mutex::new(Vec::new());
const KEPT: usize = 8;

fn idle_workers() -> Vec<Worker> {
    IDLE.lock().ok().and_then(|mut idle| idle.pop()).unwrap_or_default()
}

impl Drop for Curve {
    fn drop(&mut self) {
        if let Ok(mut idle) = IDLE.lock()
            && idle.len() < KEPT
        {
            idle.push(std::mem::take(&mut self.workers));
        }
    }
}

impl Curve {
    /// `template` holds all parameters, `free` the positions of the free ones; `threads` = 0 takes all there are.
    pub fn new(
        blocks: Vec<Block>,
        template: Vec<f64>,
        free: Vec<usize>,
        threads: usize,
        level: Level,
    ) -> Result<Curve, String> {
        if let Some(j) = free.iter().find(|&&j| j >= template.len()) {
            return Err(format!("free parameter {j} of {}", template.len()));
        }
        let (mut offsets, mut n_residuals, mut jobs) = (Vec::new(), 0, Vec::new());
        for (b, block) in blocks.iter().enumerate() {
            block.check(template.len(), free.len()).map_err(|e| format!("block {b}: {e}"))?;
            offsets.push(n_residuals);
            n_residuals += block.n_rows * block.n_outputs;
            jobs.extend(jobs::divide(b, block.n_rows));
        }
        let guarded = blocks.iter().any(|b| b.programs.value.is_guarded());
        Ok(Curve {
            blocks,
            params: template,
            free,
            threads,
            level,
            cost: None,
            linear: Vec::new(),
            jobs,
            offsets,
            n_residuals,
            guarded,
            workers: idle_workers(),
            partial: Vec::new(),
            params_along: Vec::new(),
            along: Linearization::default(),
            hessians: Vec::new(),
            scratch: Vec::new(),
        })
    }

    /// Says where data are missing that a likelihood needs.
    pub fn with_cost(mut self, cost: Option<Cost>) -> Result<Self, String> {
        let likelihood = matches!(cost, Some(Cost::Likelihood(_)));
        if likelihood && self.blocks.iter().any(|b| b.y.is_none() || b.w.is_some()) {
            return Err("a likelihood needs observations, and cases in place of weights".into());
        }
        self.cost = cost;
        Ok(self)
    }

    /// Lets these free parameters be projected out: the model is affine in them together.
    pub fn with_linear(mut self, linear: Vec<usize>) -> Self {
        self.linear = linear;
        self
    }

    /// Residuals and their linearization by the `picked` free parameters alone.
    pub fn linearize_by_some(&mut self, x: &[f64], f: &mut [f64], picked: &[usize], out: &mut Linearization) {
        self.pass(x, None, f, Some(out), Some(picked));
    }

    /// The reduction of the cost (twice) between two vectors of residuals.
    pub fn reduction(&self, f: &[f64], f1: &[f64]) -> Reduction {
        let Some(cost) = &self.cost else { return cost::reduction(None, f, f1) };
        let mut total = Reduction::default();
        for (block, &start) in self.blocks.iter().zip(&self.offsets) {
            let own = start..start + block.n_rows * block.n_outputs;
            total.add(&block.whole_cost(cost).reduction(&f[own.clone()], &f1[own]));
        }
        total
    }

    /// Whether the tapes are valid at `x`: the branches the model took when it was traced are the same there.
    pub fn guards_hold(&mut self, x: &[f64]) -> bool {
        if !self.guarded {
            return true;
        }
        self.place(x);
        if self.workers.is_empty() {
            self.workers.push(Worker::default());
        }
        let work = &mut self.workers[0].tape;
        self.blocks.iter().all(|block| {
            block.programs.value.load(self.level, &self.params, work);
            block.programs.value.guards_hold(work)
        })
    }

    /// Writes the free parameters into the full vector.
    fn place(&mut self, x: &[f64]) {
        for (&j, &value) in self.free.iter().zip(x) {
            self.params[j] = value;
        }
    }

    fn threads_for(&self, tape: impl Fn(&Programs) -> Option<&Tape>, extra: f64) -> usize {
        let cost = |b: &Block| {
            b.n_rows as f64 * (tape(&b.programs).map_or(0.0, |t| 0.3 * t.n_instructions() as f64) + extra)
        };
        jobs::n_threads(self.threads, self.jobs.len(), self.blocks.iter().map(cost).sum())
    }

    /// Sums over all rows: every job makes a partial one, and these are added in their order.
    fn reduce(
        &mut self,
        threads: usize,
        n: usize,
        out: &mut Linearization,
        pass: impl Fn(&Piece, Job, &mut Worker, &mut Linearization) + Sync,
    ) {
        out.reset(n);
        let Curve { blocks, jobs, workers, partial, .. } = self;
        if let [job] = jobs[..] {
            return jobs::share(1, workers, std::iter::once(out), |_, out, worker| {
                blocks[job.block].with_piece(|piece| pass(piece, job, worker, out));
            });
        }
        partial.resize_with(jobs.len(), Default::default);
        jobs::share(threads, workers, partial.iter_mut().zip(jobs.iter()), |_, (sums, &job), worker| {
            sums.0.reset(n);
            blocks[job.block].with_piece(|piece| pass(piece, job, worker, &mut sums.0));
        });
        for (sums, _) in &self.partial {
            out.add(self.level, sums, &mut self.scratch);
        }
    }

    /// Residuals, their reduction from `before` (else from themselves), and the linearization if wanted (by all free
    /// parameters, or by those `picked`), in one pass over the data: where these are many, reading them is what takes
    /// the time.
    fn pass(
        &mut self,
        x: &[f64],
        before: Option<&[f64]>,
        f: &mut [f64],
        mut out: Option<&mut Linearization>,
        picked: Option<&[usize]>,
    ) -> Reduction {
        assert_eq!(f.len(), self.n_residuals);
        self.place(x);
        let p = picked.map_or(self.free.len(), <[usize]>::len);
        let threads = match out {
            None => self.threads_for(|t| Some(&t.value), 0.5),
            Some(_) => self.threads_for(|t| Some(&t.jacobian), 0.1 * ((p + 1) * (p + 1)) as f64),
        };
        if let Some(out) = &mut out {
            out.reset(p);
        }
        let Curve { blocks, params, level, cost, jobs, offsets, workers, partial, scratch, .. } = self;
        let cost = cost.as_ref();
        if workers.is_empty() {
            workers.push(Worker::default());
        }
        if let ([job], [block]) = (&jobs[..], &blocks[..])
            && block.n_outputs == 1
        {
            return block.with_piece(|piece| {
                piece.pass(*level, params, *job, cost, before, &mut [f], &mut workers[0], out, picked)
            });
        }
        let wanted = out.is_some();
        partial.resize_with(jobs.len(), Default::default);
        let pieces = split_residuals(blocks, f).into_iter().zip(jobs.iter()).zip(partial.iter_mut());
        jobs::share(threads, workers, pieces, |_, ((mut f, &job), (sums, change)), worker| {
            let before = before.map(|f| &f[offsets[job.block]..]);
            if wanted {
                sums.reset(p);
            }
            let out = wanted.then_some(sums);
            *change = blocks[job.block].with_piece(|piece| {
                piece.pass(*level, params, job, cost, before, &mut f, worker, out, picked)
            });
        });
        let mut total = Reduction::default();
        for (sums, change) in partial {
            total.add(change);
            if let Some(out) = &mut out {
                out.add(*level, sums, scratch);
            }
        }
        total
    }

    /// [J f] folded, its rows those of a part of the curvature.
    fn linearize_by(&mut self, part: Part, x: &[f64], f: &[f64], out: &mut Linearization) {
        self.place(x);
        let p = self.free.len();
        let threads = self.threads_for(|t| Some(&t.jacobian), 0.1 * ((p + 1) * (p + 1)) as f64);
        let (params, offsets, level) =
            (std::mem::take(&mut self.params), std::mem::take(&mut self.offsets), self.level);
        let cost = self.cost.take();
        self.reduce(threads, p, out, |piece, job, worker, sums| {
            let cost = cost.as_ref().map(|cost| (cost, part));
            piece.linearize(level, &params, job, cost, &f[offsets[job.block]..], worker, sums);
        });
        (self.params, self.offsets, self.cost) = (params, offsets, cost);
    }
}

impl Evaluate for Curve {
    fn n_params(&self) -> usize {
        self.free.len()
    }

    fn n_residuals(&self) -> usize {
        self.n_residuals
    }

    fn residuals(&mut self, x: &[f64], f: &mut [f64]) -> Result<(), Failure> {
        self.pass(x, None, f, None, None);
        Ok(())
    }

    fn compare(
        &mut self,
        x: &[f64],
        before: Option<&[f64]>,
        f: &mut [f64],
        out: Option<&mut Linearization>,
    ) -> Result<(Reduction, bool), Failure> {
        let linearized = out.is_some();
        Ok((self.pass(x, before, f, out, None), linearized))
    }

    fn linearize(&mut self, x: &[f64], f: &[f64], out: &mut Linearization) -> Result<(), Failure> {
        self.linearize_by(Part::Model, x, f, out);
        Ok(())
    }

    fn linear(&self) -> &[usize] {
        &self.linear
    }

    fn linearize_linear(
        &mut self,
        x: &[f64],
        f: &mut [f64],
        out: &mut Linearization,
    ) -> Result<bool, Failure> {
        let linear = std::mem::take(&mut self.linear);
        self.linearize_by_some(x, f, &linear, out);
        self.linear = linear;
        Ok(true)
    }

    fn curvature_along(&mut self, x: &[f64], f: &[f64], v: &[f64], out: &mut [f64]) -> Result<bool, Failure> {
        if self.blocks.iter().any(|b| b.programs.curvature.is_none()) {
            return Ok(false);
        }
        self.place(x);
        let (mut params, mut sums) =
            (std::mem::take(&mut self.params_along), std::mem::take(&mut self.along));
        params.clone_from(&self.params);
        params.extend_from_slice(v);
        let (p, level) = (self.free.len(), self.level);
        let (offsets, cost) = (std::mem::take(&mut self.offsets), self.cost.take());
        let threads = self.threads_for(|t| t.curvature.as_ref(), p as f64);
        self.reduce(threads, p, &mut sums, |piece, job, worker, sums| {
            if let Some(tape) = &piece.programs.curvature {
                let cost = cost.as_ref().map(|cost| (cost, &f[offsets[job.block]..]));
                piece.curvature(level, tape, &params, job, cost, worker, &mut sums.gradient);
            }
        });
        out.copy_from_slice(&sums.gradient);
        (self.params_along, self.along, self.offsets, self.cost) = (params, sums, offsets, cost);
        Ok(true)
    }

    fn residual_hessian(&mut self, x: &[f64], f: &[f64], out: &mut [f64]) -> Result<bool, Failure> {
        if self.blocks.iter().any(|b| b.programs.hessian.is_none()) {
            return Ok(false);
        }
        self.place(x);
        let (p, level) = (self.free.len(), self.level);
        let threads = self.threads_for(|t| t.hessian.as_ref().map(|h| &h.0), 0.5 * (p * p) as f64);
        out.fill(0.0);
        let slopes = slopes(&self.blocks, &self.offsets, self.cost.as_ref(), f);
        let Curve { blocks, params, jobs, offsets, workers, hessians, .. } = self;
        hessians.clear();
        hessians.resize(jobs.len() * p * p, 0.0);
        let pieces = hessians.chunks_exact_mut((p * p).max(1)).zip(jobs.iter());
        jobs::share(threads, workers, pieces, |_, (sums, &job), worker| {
            let block = &blocks[job.block];
            if let Some((tape, pairs)) = &block.programs.hessian {
                let slopes = &slopes[offsets[job.block]..];
                block.with_piece(|piece| {
                    piece.hessian(level, tape, pairs, params, job, slopes, worker, sums);
                });
            }
        });
        for sums in hessians.chunks_exact((p * p).max(1)) {
            out.iter_mut().zip(sums).for_each(|(o, s)| *o += s);
        }
        self.subtract_excess(x, f, out)?;
        Ok(true)
    }

    fn slopes<'f>(&self, f: &'f [f64]) -> Cow<'f, [f64]> {
        slopes(&self.blocks, &self.offsets, self.cost.as_ref(), f)
    }

    fn has_edge(&self) -> bool {
        self.cost.as_ref().is_some_and(Cost::has_edge)
    }

    fn subtract_excess(&mut self, x: &[f64], f: &[f64], out: &mut [f64]) -> Result<(), Failure> {
        let Some(cost) = &self.cost else { return Ok(()) };
        let shortfall = cost.has_shortfall();
        let mut sums = Linearization::default();
        self.linearize_by(Part::Excess, x, f, &mut sums);
        cost::add_gram(-1.0, &sums.factor, out);
        if shortfall {
            self.linearize_by(Part::Shortfall, x, f, &mut sums);
            cost::add_gram(1.0, &sums.factor, out);
        }
        Ok(())
    }
}

/// Derivatives of half the terms by the residuals.
fn slopes<'f>(blocks: &[Block], offsets: &[usize], cost: Option<&Cost>, f: &'f [f64]) -> Cow<'f, [f64]> {
    let Some(cost) = cost else { return f.into() };
    let mut slopes = f.to_vec();
    for (block, &start) in blocks.iter().zip(offsets) {
        let own = start..start + block.n_rows * block.n_outputs;
        block.whole_cost(cost).each_slope(&f[own], |i, slope| slopes[start + i] = slope);
    }
    slopes.into()
}

/// The slices of f each job writes: one per output.
fn split_residuals<'f>(blocks: &[Block], mut f: &'f mut [f64]) -> Vec<Vec<&'f mut [f64]>> {
    let mut pieces = Vec::new();
    for block in blocks {
        let (own, rest) = f.split_at_mut(block.n_rows * block.n_outputs);
        f = rest;
        let first = pieces.len();
        for output in own.chunks_mut(block.n_rows.max(1)) {
            for (k, piece) in output.chunks_mut(jobs::rows_per_job(block.n_rows)).enumerate() {
                if pieces.len() == first + k {
                    pieces.push(Vec::with_capacity(block.n_outputs));
                }
                pieces[first + k].push(piece);
            }
        }
    }
    pieces
}
