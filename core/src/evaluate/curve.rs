//! Least squares of models given as tapes: f = (model - y) w, evaluated block by block, the Jacobian never stored.

use std::sync::{Arc, Mutex};

use super::accumulate::{self, Residuals, RowData};
use super::jobs::{self, Job};
use super::{Evaluate, Failure, Linearization};
use crate::tape::{Column, Level, Rows, Tape, Workspace};

/// A data column: owned or borrowed from elsewhere.
pub type Values = Arc<dyn AsRef<[f64]> + Send + Sync>;

/// The tapes of one model with k outputs and p free parameters. All take the full parameter vector.
pub struct Programs {
    /// Outputs: the model (k).
    pub value: Tape,
    /// Outputs: the model (k), then its derivatives by the free parameters (k x p).
    pub jacobian: Tape,
    /// Outputs: derivatives (k x p), then second derivatives along a direction (k);
    /// parameters: the full vector, then the direction (p).
    pub curvature: Option<Tape>,
    /// Outputs: per model output, the second derivative for each listed pair (j, l) of free parameters, j >= l.
    pub hessian: Option<(Tape, Vec<(u32, u32)>)>,
}

/// Rows that share a model.
pub struct Block {
    pub programs: Arc<Programs>,
    pub columns: Vec<Values>,
    /// Observations and weights, output after output: k x n.
    pub y: Option<Values>,
    pub w: Option<Values>,
    pub n_rows: usize,
    pub n_outputs: usize,
}

/// A curve fit. Residuals are ordered block after block, within a block output after output.
pub struct Curve {
    blocks: Vec<Block>,
    /// All parameters; the free ones are overwritten at each evaluation.
    params: Vec<f64>,
    free: Vec<usize>,
    threads: usize,
    level: Level,
    jobs: Vec<Job>,
    /// First residual of each block.
    offsets: Vec<usize>,
    n_residuals: usize,
    guarded: bool,
    workers: Vec<Worker>,
    partial: Vec<Linearization>,
    scratch: Vec<f64>,
}

/// What one thread works in.
#[derive(Default)]
struct Worker {
    tape: Workspace,
    columns: Vec<Column>,
    magnitude: Column,
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
        let (workers, partial, scratch) = (idle_workers(), Vec::new(), Vec::new());
        let params = template;
        Ok(Curve {
            blocks,
            params,
            free,
            threads,
            level,
            jobs,
            offsets,
            n_residuals,
            guarded,
            workers,
            partial,
            scratch,
        })
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
        pass: impl Fn(&Block, Job, &mut Worker, &mut Linearization) + Sync,
    ) {
        out.reset(n);
        let Curve { blocks, jobs, workers, partial, .. } = self;
        if let [job] = jobs[..] {
            return jobs::share(1, workers, std::iter::once(out), |_, out, worker| {
                pass(&blocks[job.block], job, worker, out);
            });
        }
        partial.resize_with(jobs.len(), Linearization::default);
        jobs::share(threads, workers, partial.iter_mut().zip(jobs.iter()), |_, (sums, &job), worker| {
            sums.reset(n);
            pass(&blocks[job.block], job, worker, sums);
        });
        for sums in &self.partial {
            out.add(self.level, sums, &mut self.scratch);
        }
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
        assert_eq!(f.len(), self.n_residuals);
        self.place(x);
        let threads = self.threads_for(|p| Some(&p.value), 0.5);
        let Curve { blocks, params, level, jobs, workers, .. } = self;
        if let ([job], [block]) = (&jobs[..], &blocks[..])
            && block.n_outputs == 1
        {
            jobs::share(1, workers, std::iter::once(f), |_, f, worker| {
                block.residuals(*level, params, *job, &mut [f], &mut worker.tape);
            });
            return Ok(());
        }
        let pieces = split_residuals(blocks, f);
        jobs::share(threads, workers, pieces.into_iter().zip(jobs.iter()), |_, (mut f, &job), worker| {
            blocks[job.block].residuals(*level, params, job, &mut f, &mut worker.tape);
        });
        Ok(())
    }

    fn linearize(&mut self, x: &[f64], f: &[f64], out: &mut Linearization) -> Result<(), Failure> {
        self.place(x);
        let p = self.free.len();
        let threads = self.threads_for(|t| Some(&t.jacobian), 0.1 * ((p + 1) * (p + 1)) as f64);
        let (params, offsets, level) =
            (std::mem::take(&mut self.params), std::mem::take(&mut self.offsets), self.level);
        self.reduce(threads, p, out, |block, job, worker, sums| {
            block.linearize(level, &params, job, &f[offsets[job.block]..], worker, sums);
        });
        (self.params, self.offsets) = (params, offsets);
        Ok(())
    }

    fn curvature_along(
        &mut self,
        x: &[f64],
        _f: &[f64],
        v: &[f64],
        out: &mut [f64],
    ) -> Result<bool, Failure> {
        if self.blocks.iter().any(|b| b.programs.curvature.is_none()) {
            return Ok(false);
        }
        self.place(x);
        let mut params = self.params.clone();
        params.extend_from_slice(v);
        let (p, level) = (self.free.len(), self.level);
        let threads = self.threads_for(|t| t.curvature.as_ref(), p as f64);
        let mut sums = Linearization::default();
        self.reduce(threads, p, &mut sums, |block, job, worker, sums| {
            if let Some(tape) = &block.programs.curvature {
                block.curvature(level, tape, &params, job, worker, &mut sums.gradient);
            }
        });
        out.copy_from_slice(&sums.gradient);
        Ok(true)
    }

    fn residual_hessian(&mut self, x: &[f64], f: &[f64], out: &mut [f64]) -> Result<bool, Failure> {
        if self.blocks.iter().any(|b| b.programs.hessian.is_none()) {
            return Ok(false);
        }
        self.place(x);
        let (p, level) = (self.free.len(), self.level);
        let threads = self.threads_for(|t| t.hessian.as_ref().map(|h| &h.0), 0.5 * (p * p) as f64);
        let (params, offsets) = (std::mem::take(&mut self.params), std::mem::take(&mut self.offsets));
        out.fill(0.0);
        let mut partial = vec![vec![0.0; p * p]; self.jobs.len()];
        let Curve { blocks, jobs, workers, .. } = self;
        jobs::share(threads, workers, partial.iter_mut().zip(jobs.iter()), |_, (sums, &job), worker| {
            let block = &blocks[job.block];
            if let Some((tape, pairs)) = &block.programs.hessian {
                block.hessian(level, tape, pairs, &params, job, &f[offsets[job.block]..], worker, sums);
            }
        });
        for sums in &partial {
            out.iter_mut().zip(sums).for_each(|(o, s)| *o += s);
        }
        (self.params, self.offsets) = (params, offsets);
        Ok(true)
    }
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

impl Block {
    fn check(&self, n_params: usize, p: usize) -> Result<(), String> {
        let (n, k) = (self.n_rows, self.n_outputs);
        if k == 0 {
            return Err("no outputs".into());
        }
        for (name, values) in [("y", &self.y), ("w", &self.w)] {
            if values.as_ref().is_some_and(|v| (**v).as_ref().len() != k * n) {
                return Err(format!("{name} should have {k} x {n} values"));
            }
        }
        if let Some(j) = self.columns.iter().position(|c| (**c).as_ref().len() != n) {
            return Err(format!("column {j} should have {n} values"));
        }
        let programs = &self.programs;
        let hessian = programs.hessian.as_ref();
        if hessian.is_some_and(|(_, pairs)| pairs.iter().any(|&(j, l)| j as usize >= p || l > j)) {
            return Err("a pair of the second derivatives is out of range".into());
        }
        for (name, tape, outputs, params) in [
            ("value", Some(&programs.value), k, n_params),
            ("jacobian", Some(&programs.jacobian), k + k * p, n_params),
            ("curvature", programs.curvature.as_ref(), k * p + k, n_params + p),
            ("hessian", hessian.map(|h| &h.0), k * hessian.map_or(0, |h| h.1.len()), n_params),
        ] {
            let Some(tape) = tape else { continue };
            let found = (tape.n_outputs(), tape.n_params(), tape.n_inputs());
            if found != (outputs, params, self.columns.len()) {
                return Err(format!(
                    "the {name} tape has (outputs, parameters, inputs) {found:?}, not {:?}",
                    (outputs, params, self.columns.len())
                ));
            }
        }
        Ok(())
    }

    /// Calls `f` with the data columns as slices, without an allocation when there are few.
    fn with_inputs<T>(&self, f: impl FnOnce(&[&[f64]]) -> T) -> T {
        let mut few = [&[][..]; 8];
        if self.columns.len() <= few.len() {
            let slices = &mut few[..self.columns.len()];
            slices.iter_mut().zip(&self.columns).for_each(|(s, c)| *s = (**c).as_ref());
            f(slices)
        } else {
            f(&self.columns.iter().map(|c| (**c).as_ref()).collect::<Vec<_>>())
        }
    }

    /// The part of `y` or `w` that belongs to these rows of output `o`.
    fn part<'a>(&self, values: &'a Option<Values>, o: usize, rows: Rows) -> Option<&'a [f64]> {
        values.as_ref().map(|v| &(**v).as_ref()[o * self.n_rows + rows.start..][..rows.len])
    }

    fn residuals(&self, level: Level, params: &[f64], job: Job, f: &mut [&mut [f64]], work: &mut Workspace) {
        let tape = &self.programs.value;
        tape.load(level, params, work);
        self.with_inputs(|inputs| {
            for rows in Rows::blocks(job.start, job.end) {
                tape.run_block(level, inputs, rows, work);
                for (o, f) in f.iter_mut().enumerate() {
                    let model = tape.output(o, inputs, rows, work);
                    let data =
                        RowData { model, y: self.part(&self.y, o, rows), w: self.part(&self.w, o, rows) };
                    let f = &mut f[rows.start - job.start..][..rows.len];
                    level.run(Residuals { rows: data, f });
                }
            }
        });
    }

    fn linearize(
        &self,
        level: Level,
        params: &[f64],
        job: Job,
        f: &[f64],
        worker: &mut Worker,
        out: &mut Linearization,
    ) {
        let (tape, p, k) = (&self.programs.jacobian, out.gradient.len(), self.n_outputs);
        let Worker { tape: work, columns, magnitude } = worker;
        if columns.len() < p + 1 {
            columns.resize(p + 1, Column::default());
        }
        tape.load(level, params, work);
        self.with_inputs(|inputs| {
            for rows in Rows::blocks(job.start, job.end) {
                tape.run_block(level, inputs, rows, work);
                for o in 0..k {
                    let model = tape.output(o, inputs, rows, work);
                    let block = accumulate::Rows {
                        derivative: |j| tape.output(k + o * p + j, inputs, rows, work),
                        rows: RowData {
                            model,
                            y: self.part(&self.y, o, rows),
                            w: self.part(&self.w, o, rows),
                        },
                        f: &f[o * self.n_rows + rows.start..][..rows.len],
                        columns,
                        magnitude,
                        out,
                    };
                    block.fold(level);
                }
            }
        });
    }

    fn curvature(
        &self,
        level: Level,
        tape: &Tape,
        params: &[f64],
        job: Job,
        worker: &mut Worker,
        out: &mut [f64],
    ) {
        let (p, k) = (out.len(), self.n_outputs);
        let Worker { tape: work, columns, magnitude } = worker;
        columns.resize(columns.len().max(1), Column::default());
        tape.load(level, params, work);
        self.with_inputs(|inputs| {
            for rows in Rows::blocks(job.start, job.end) {
                tape.run_block(level, inputs, rows, work);
                for o in 0..k {
                    let w = self.part(&self.w, o, rows);
                    let weigh = |output: usize, d: &mut Column| {
                        accumulate::weigh(level, tape.output(output, inputs, rows, work), w, rows.len, d);
                    };
                    weigh(k * p + o, magnitude);
                    for j in 0..p {
                        weigh(o * p + j, &mut columns[0]);
                        out[j] += accumulate::dot(level, &columns[0], magnitude, rows.len);
                    }
                }
            }
        });
    }

    fn hessian(
        &self,
        level: Level,
        tape: &Tape,
        pairs: &[(u32, u32)],
        params: &[f64],
        job: Job,
        f: &[f64],
        worker: &mut Worker,
        out: &mut [f64],
    ) {
        let (p, k) = (out.len().isqrt(), self.n_outputs);
        let Worker { tape: work, columns, magnitude } = worker;
        columns.resize(columns.len().max(1), Column::default());
        tape.load(level, params, work);
        self.with_inputs(|inputs| {
            for rows in Rows::blocks(job.start, job.end) {
                tape.run_block(level, inputs, rows, work);
                for o in 0..k {
                    let f = &f[o * self.n_rows + rows.start..][..rows.len];
                    magnitude.0[..rows.len].copy_from_slice(f);
                    for (q, &(j, l)) in pairs.iter().enumerate() {
                        let second = tape.output(o * pairs.len() + q, inputs, rows, work);
                        let w = self.part(&self.w, o, rows);
                        accumulate::weigh(level, second, w, rows.len, &mut columns[0]);
                        let sum = accumulate::dot(level, &columns[0], magnitude, rows.len);
                        let (j, l) = (j as usize, l as usize);
                        out[j * p + l] += sum;
                        if j != l {
                            out[l * p + j] += sum;
                        }
                    }
                }
            }
        });
    }
}
