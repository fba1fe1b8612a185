//! Rows that are read again at every pass: in memory as they lie, whatever their type, or block by block from elsewhere.
//!
//! Residuals of the point before are made again beside those of the point tried: 2.1 ns per point for three parameters,
//! where keeping them took 8 bytes of memory per point, read and written at every pass (page faults made that dearer).

use std::sync::Arc;

use super::jobs::{self, Job};
use super::piece::{Piece, Worker};
use super::summed::{Pass, Sums, Wanted};
use super::{Beside, Failure, block::Programs};
use crate::cost::{self, Cost, CostOf};
use crate::loss::Part;
use crate::tape::{Level, Tape};

/// A column of numbers of any type.
pub trait Series: Send + Sync {
    fn len(&self) -> usize;
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Rows start.. as float64, as many as there is room for: where they lie, or converted into `room`.
    fn read<'a>(&'a self, start: usize, room: &'a mut [f64]) -> &'a [f64];
}

pub type Column = Arc<dyn Series>;

/// What a column says about weights: w of the residuals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighing {
    /// w itself, or the cases of a likelihood.
    Factor,
    /// Standard deviations: w = 1 / sigma.
    Sigma,
    /// Weights of the squares: w = sqrt(weight).
    Squares,
}

/// A block of rows.
#[derive(Clone)]
pub struct Chunk {
    pub columns: Vec<Column>,
    pub y: Option<Column>,
    pub w: Option<(Column, Weighing)>,
    pub n_rows: usize,
}

impl Chunk {
    fn check(&self, version: &Version) -> Result<(), String> {
        let n = self.n_rows;
        if let Some(k) = version.picks.iter().find(|&&k| k >= self.columns.len()) {
            return Err(format!("the model needs column {k}, a block has {}", self.columns.len()));
        }
        let others = self.y.iter().chain(self.w.as_ref().map(|(w, _)| w));
        match self.columns.iter().chain(others).find(|c| c.len() != n) {
            Some(column) => Err(format!("a column of {} values in a block of {n} rows", column.len())),
            None => Ok(()),
        }
    }
}

/// Where blocks come from, again from the first at every pass.
pub trait Feed: Send {
    fn rewind(&mut self) -> Result<(), Failure>;
    fn next(&mut self) -> Result<Option<Chunk>, Failure>;
}

/// All rows at once.
pub struct Whole {
    chunk: Chunk,
    given: bool,
}

impl Whole {
    pub fn new(chunk: Chunk) -> Self {
        Whole { chunk, given: false }
    }
}

impl Feed for Whole {
    fn rewind(&mut self) -> Result<(), Failure> {
        self.given = false;
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Chunk>, Failure> {
        Ok((!std::mem::replace(&mut self.given, true)).then(|| self.chunk.clone()))
    }
}

/// The programs of one branch of the model, and which of the columns their inputs are.
#[derive(Clone)]
pub struct Version {
    pub programs: Arc<Programs>,
    pub picks: Vec<usize>,
}

/// The version that holds at x where none that is known does; `None` where the model refuses x.
pub type Retrace = Box<dyn FnMut(&[f64]) -> Result<Option<Version>, Failure> + Send>;

/// Rows are read, and converted where they must be, in runs of this many.
const RUN: usize = 2048;

/// What one thread works in.
#[derive(Default)]
struct Desk {
    worker: Worker,
    columns: Vec<Vec<f64>>,
    y: Vec<f64>,
    w: Vec<f64>,
    f: Vec<f64>,
    f0: Vec<f64>,
}

/// A model with one output per row, over blocks of rows.
pub struct Stream {
    feed: Box<dyn Feed>,
    /// One for each branch the model has taken so far.
    versions: Vec<Version>,
    active: usize,
    retrace: Retrace,
    params: Vec<f64>,
    free: Vec<usize>,
    n_residuals: usize,
    threads: usize,
    level: Level,
    cost: Option<Cost>,
    desks: Vec<Desk>,
    /// Products of columns were found to lose too many digits: all passes make factors by reflections.
    reflects: bool,
    partial: Vec<Sums>,
    scratch: Vec<f64>,
}

/// What the threads share during a pass.
struct Task<'a> {
    wanted: Wanted<'a>,
    level: Level,
    cost: Option<&'a Cost>,
    /// The version and all parameters (with a direction behind them, where one is wanted).
    here: (&'a Version, &'a [f64]),
    /// The same at the other point.
    other: Option<(&'a Version, &'a [f64])>,
    /// [J f] is factored by the products of its columns.
    multiplies: bool,
}

impl Stream {
    /// `template` holds all parameters, `free` the positions of the free ones; `threads` = 0 takes all there are.
    pub fn new(
        feed: Box<dyn Feed>,
        n_rows: usize,
        version: Version,
        retrace: Retrace,
        template: Vec<f64>,
        free: Vec<usize>,
        threads: usize,
        cost: Option<Cost>,
    ) -> Result<Self, String> {
        if let Some(j) = free.iter().find(|&&j| j >= template.len()) {
            return Err(format!("free parameter {j} of {}", template.len()));
        }
        let mut stream = Stream {
            feed,
            versions: Vec::new(),
            active: 0,
            retrace,
            params: template,
            free,
            n_residuals: n_rows,
            threads,
            level: Level::best(),
            cost,
            desks: vec![Desk::default()],
            reflects: false,
            partial: Vec::new(),
            scratch: Vec::new(),
        };
        stream.add(version)?;
        Ok(stream)
    }

    /// Takes up programs for one more branch.
    pub fn add(&mut self, version: Version) -> Result<(), String> {
        let programs = &version.programs;
        let (n, p, inputs) = (self.params.len(), self.free.len(), version.picks.len());
        let hessian = programs.hessian.as_ref();
        if hessian.is_some_and(|(_, pairs)| pairs.iter().any(|&(j, l)| j as usize >= p || l > j)) {
            return Err("a pair of the second derivatives is out of range".into());
        }
        for (name, tape, outputs, params) in [
            ("value", Some(&programs.value), 1, n),
            ("jacobian", Some(&programs.jacobian), 1 + p, n),
            ("curvature", programs.curvature.as_ref(), p + 1, n + p),
            ("hessian", hessian.map(|h| &h.0), hessian.map_or(0, |h| h.1.len()), n),
        ] {
            let found = tape.map(|t| (t.n_outputs(), t.n_params(), t.n_inputs()));
            if found.is_some_and(|found| found != (outputs, params, inputs)) {
                return Err(format!(
                    "the {name} tape does not fit: {found:?}, not {:?}",
                    (outputs, params, inputs)
                ));
            }
        }
        self.versions.push(version);
        self.active = self.versions.len() - 1;
        Ok(())
    }

    /// All parameters where the free ones are `x`.
    fn full(&self, x: &[f64]) -> Vec<f64> {
        let mut params = self.params.clone();
        self.free.iter().zip(x).for_each(|(&j, &value)| params[j] = value);
        params
    }

    /// The version that holds at `params`; `None` where the model refuses them.
    fn select(&mut self, x: &[f64], params: &[f64]) -> Result<Option<usize>, Failure> {
        let (level, work) = (self.level, &mut self.desks[0].worker.tape);
        let mut holds = |v: &Version| {
            let tape = &v.programs.value;
            !tape.is_guarded() || {
                tape.load(level, params, work);
                tape.guards_hold(work)
            }
        };
        if holds(&self.versions[self.active]) {
            return Ok(Some(self.active));
        }
        if let Some(found) = self.versions.iter().position(holds) {
            self.active = found;
        } else {
            let Some(version) = (self.retrace)(x)? else { return Ok(None) };
            self.add(version).map_err(|e| Failure::Broken(e.into()))?;
        }
        Ok(Some(self.active))
    }

    fn threads_for(&self, n_rows: usize, n_jobs: usize, wanted: &Wanted) -> usize {
        let programs = &self.versions[self.active].programs;
        let p = self.free.len() as f64;
        let length = |tape: Option<&Tape>| tape.map_or(0.0, |t| 0.3 * t.n_instructions() as f64);
        let per_row = match wanted {
            Wanted::Compare { linearize: false, .. } | Wanted::Beside(_) => length(Some(&programs.value)),
            Wanted::Hessian => length(programs.hessian.as_ref().map(|h| &h.0)) + 0.5 * p * p,
            Wanted::Curvature(_) => length(programs.curvature.as_ref()) + p,
            _ => length(Some(&programs.jacobian)) + 0.1 * (p + 1.0) * (p + 1.0),
        };
        jobs::n_threads(self.threads, n_jobs, n_rows as f64 * (per_row + 0.5))
    }

    /// Adds the sums of one block: its jobs depend on its length only, and are added in their order.
    fn take(&mut self, chunk: &Chunk, threads: usize, task: &Task, out: &mut Sums) {
        let jobs: Vec<Job> = jobs::divide(0, chunk.n_rows).collect();
        let n = self.free.len();
        self.partial.resize_with(self.partial.len().max(jobs.len()), Sums::default);
        let pieces = self.partial.iter_mut().zip(&jobs);
        jobs::share(threads, &mut self.desks, pieces, |_, (sums, &job), desk| {
            sums.reset(&task.wanted, n);
            desk.worker.multiplies = task.multiplies;
            for start in (job.start..job.end).step_by(RUN) {
                desk.run(chunk, start, RUN.min(job.end - start), task, sums);
            }
        });
        for sums in &self.partial[..jobs.len()] {
            out.add(sums, &mut self.scratch);
        }
    }

    /// Goes over all blocks; once more, with reflections, where products lose too many digits.
    fn pass(&mut self, mut task: Task, out: &mut Sums) -> Result<(), Failure> {
        let linearizes = matches!(task.wanted, Wanted::Compare { linearize: true, .. } | Wanted::Some(_));
        task.multiplies = linearizes && !self.reflects;
        self.go_over(&task, out)?;
        if task.multiplies && !out.linearization.settle_products() {
            (self.reflects, task.multiplies) = (true, false);
            out.reset(&task.wanted, self.free.len());
            self.go_over(&task, out)?;
        }
        Ok(())
    }

    fn go_over(&mut self, task: &Task, out: &mut Sums) -> Result<(), Failure> {
        out.multiplied = task.multiplies;
        self.feed.rewind()?;
        let mut n_rows = 0;
        while let Some(chunk) = self.feed.next()? {
            chunk.check(task.here.0).map_err(|e| Failure::Broken(e.into()))?;
            n_rows += chunk.n_rows;
            let n_jobs = jobs::divide(0, chunk.n_rows).count();
            let threads = self.threads_for(chunk.n_rows, n_jobs, &task.wanted);
            self.take(&chunk, threads, task, out);
        }
        if n_rows != self.n_residuals {
            let message = format!("the blocks hold {n_rows} rows in this pass, {} before", self.n_residuals);
            return Err(Failure::Broken(message.into()));
        }
        Ok(())
    }
}

impl Pass for Stream {
    fn n_params(&self) -> usize {
        self.free.len()
    }

    fn n_residuals(&self) -> usize {
        self.n_residuals
    }

    fn is_curved(&self) -> (bool, bool) {
        let programs = &self.versions[self.active].programs;
        (programs.curvature.is_some(), programs.hessian.is_some())
    }

    fn cost(&self) -> Option<&Cost> {
        self.cost.as_ref()
    }

    fn sum(&mut self, x: &[f64], wanted: Wanted, out: &mut Sums) -> Result<bool, Failure> {
        out.reset(&wanted, self.free.len());
        let beside = match wanted {
            Wanted::Compare { before, .. } => before,
            Wanted::Beside(other) => Some(other),
            _ => None,
        };
        let mut other = None;
        if let Some(before) = beside {
            let params = self.full(before);
            let Some(version) = self.select(before, &params)? else { return Ok(false) };
            other = Some((self.versions[version].clone(), params));
        }
        let mut params = self.full(x);
        let Some(version) = self.select(x, &params)? else { return Ok(false) };
        if let Wanted::Curvature(v) = wanted {
            params.extend_from_slice(v);
        }
        let version = self.versions[version].clone();
        let cost = self.cost.take();
        let other = other.as_ref().map(|(version, params)| (version, &params[..]));
        let task = Task {
            wanted,
            level: self.level,
            cost: cost.as_ref(),
            here: (&version, &params),
            other,
            multiplies: false,
        };
        let done = self.pass(task, out);
        self.cost = cost;
        done.map(|()| true)
    }
}

impl Desk {
    /// Adds the sums over a run of rows.
    fn run(&mut self, chunk: &Chunk, start: usize, n_rows: usize, task: &Task, out: &mut Sums) {
        let Desk { worker, columns, y, w, f, f0 } = self;
        columns.resize_with(columns.len().max(chunk.columns.len()), || vec![0.0; RUN]);
        for room in [&mut *y, &mut *w, &mut *f, &mut *f0] {
            room.resize(RUN, 0.0);
        }
        let used = |k: usize| {
            task.here.0.picks.contains(&k) || task.other.is_some_and(|(v, _)| v.picks.contains(&k))
        };
        let rooms = columns.iter_mut().zip(&chunk.columns).enumerate();
        let read = rooms.map(|(k, (room, c))| if used(k) { c.read(start, &mut room[..n_rows]) } else { &[] });
        let columns: Vec<&[f64]> = read.collect();
        let inputs = |version: &Version| version.picks.iter().map(|&k| columns[k]).collect::<Vec<_>>();
        let y = chunk.y.as_ref().map(|c| c.read(start, &mut y[..n_rows]));
        let w = chunk.w.as_ref().map(|(c, weighing)| weights(c, *weighing, start, &mut w[..n_rows]));
        let (w, cases) = if matches!(task.cost, Some(Cost::Likelihood(_))) { (None, w) } else { (w, None) };
        let (Version { programs, .. }, params) = task.here;
        let own = inputs(task.here.0);
        let piece = Piece { programs, inputs: &own, y, w, cases, n_rows, n_outputs: 1 };
        let (level, job) = (task.level, Job { block: 0, start: 0, end: n_rows });
        let (f, f0) = (&mut f[..n_rows], &mut f0[..n_rows]);
        let whole = task.cost.map(|cost| CostOf { cost, part: Part::Model, y: y.unwrap_or(&[]), cases });
        if let Some((version, params)) = task.other {
            let inputs = inputs(version);
            let piece = Piece { programs: &version.programs, inputs: &inputs, ..piece };
            piece.residuals(level, params, job, f0, worker);
        }
        match task.wanted {
            Wanted::Compare { before, linearize } => {
                let linearization = linearize.then_some(&mut out.linearization);
                let before = before.is_some().then_some(&*f0);
                let change =
                    piece.pass(level, params, job, task.cost, before, &mut [f], worker, linearization, None);
                out.change.add(&change);
            }
            Wanted::Some(picked) => {
                let linearization = Some(&mut out.linearization);
                piece.pass(
                    level,
                    params,
                    job,
                    task.cost,
                    None,
                    &mut [f],
                    worker,
                    linearization,
                    Some(picked),
                );
            }
            Wanted::Part(part) => {
                piece.residuals(level, params, job, f, worker);
                let cost = task.cost.map(|cost| (cost, part));
                piece.linearize(level, params, job, cost, f, worker, &mut out.linearization);
            }
            Wanted::Curvature(_) => {
                let plain = params.len() - out.linearization.gradient.len();
                if task.cost.is_some() {
                    piece.residuals(level, &params[..plain], job, f, worker);
                }
                if let Some(tape) = &programs.curvature {
                    let cost = task.cost.map(|cost| (cost, &*f));
                    piece.curvature(level, tape, params, job, cost, worker, &mut out.linearization.gradient);
                }
            }
            Wanted::Hessian => {
                piece.residuals(level, params, job, f, worker);
                let slopes = cost::slopes(whole, f);
                if let Some((tape, pairs)) = &programs.hessian {
                    piece.hessian(level, tape, pairs, params, job, &slopes, worker, &mut out.hessian);
                }
            }
            Wanted::Beside(_) => {
                piece.residuals(level, params, job, f, worker);
                out.beside.add(&cost::slopes(whole, f0), f0, f);
            }
        }
    }
}

impl Beside {
    fn add(&mut self, slopes: &[f64], f: &[f64], g: &[f64]) {
        for ((s, f), g) in slopes.iter().zip(f).zip(g) {
            self.along += s * (g - f);
            self.squares += (g - f) * (g - f);
        }
    }
}

fn weights<'a>(column: &'a Column, weighing: Weighing, start: usize, room: &'a mut [f64]) -> &'a [f64] {
    if weighing == Weighing::Factor {
        return column.read(start, room);
    }
    let mut own = vec![0.0; room.len()];
    let given = column.read(start, &mut own);
    for (w, given) in room.iter_mut().zip(given) {
        *w = if weighing == Weighing::Sigma { 1.0 / given } else { given.sqrt() };
    }
    room
}
