//! Rows that share a model, as slices, and the passes over a run of them.

use super::Linearization;
use super::accumulate::{self, Differences, Residuals, RowData};
use super::block::Programs;
use super::jobs::Job;
use super::reduction::Reduction;
use crate::cost::{Cost, CostOf};
use crate::loss::Part;
use crate::tape::{Column, Level, Rows, Tape, Workspace};

/// What one thread works in.
#[derive(Default)]
pub(crate) struct Worker {
    pub(crate) tape: Workspace,
    pub(crate) columns: Vec<Column>,
    pub(crate) magnitude: Column,
    /// Factors are left to the products of columns; see `Rows::multiply`.
    pub(crate) multiplies: bool,
}

/// Rows of data with their programs; y, w and cases are k x n, output after output.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'a> {
    pub programs: &'a Programs,
    pub inputs: &'a [&'a [f64]],
    pub y: Option<&'a [f64]>,
    pub w: Option<&'a [f64]>,
    pub cases: Option<&'a [f64]>,
    pub n_rows: usize,
    pub n_outputs: usize,
}

impl<'a> Piece<'a> {
    /// The part of `y` or `w` that belongs to these rows of output `o`.
    fn part(&self, values: Option<&'a [f64]>, o: usize, rows: Rows) -> Option<&'a [f64]> {
        values.map(|v| &v[o * self.n_rows + rows.start..][..rows.len])
    }

    /// The cost of these rows of output `o`.
    fn cost_of<'c>(&self, cost: Option<(&'c Cost, Part)>, o: usize, rows: Rows) -> Option<CostOf<'c>>
    where
        'a: 'c,
    {
        let (cost, part) = cost?;
        let y = self.part(self.y, o, rows).unwrap_or(&[]);
        Some(CostOf { cost, part, y, cases: self.part(self.cases, o, rows) })
    }

    /// Residuals of one job into `f` (one slice per output), their reduction from `before` (else from
    /// themselves), and [J f] folded into `out`; of J only the `picked` columns, if they are given.
    pub(crate) fn pass(
        &self,
        level: Level,
        params: &[f64],
        job: Job,
        cost: Option<&Cost>,
        before: Option<&[f64]>,
        f: &mut [&mut [f64]],
        worker: &mut Worker,
        mut out: Option<&mut Linearization>,
        picked: Option<&[usize]>,
    ) -> Reduction {
        let (p, k) = (out.as_ref().map_or(0, |out| out.gradient.len()), self.n_outputs);
        let tape = if out.is_some() { &self.programs.jacobian } else { &self.programs.value };
        let width = (tape.n_outputs() - k) / k;
        let Worker { tape: work, columns, magnitude, multiplies } = worker;
        if out.is_some() && columns.len() < p + 1 {
            columns.resize(p + 1, Column::default());
        }
        tape.load(level, params, work);
        let mut total = Reduction::default();
        let inputs = self.inputs;
        for rows in Rows::blocks(job.start, job.end) {
            tape.run_block(level, inputs, rows, work);
            for (o, f) in f.iter_mut().enumerate() {
                let model = tape.output(o, inputs, rows, work);
                let (y, w) = (self.part(self.y, o, rows), self.part(self.w, o, rows));
                let cost = self.cost_of(cost.map(|c| (c, Part::Model)), o, rows);
                let data = RowData { model, y, w, cost };
                let f = &mut f[rows.start - job.start..][..rows.len];
                let before = before.map(|f| &f[o * self.n_rows + rows.start..][..rows.len]);
                total.add(&level.run(Residuals { rows: data, before, f }));
                if let Some(out) = out.as_deref_mut() {
                    let derivative = |j: usize| {
                        let column = picked.map_or(o * p + j, |picked| o * width + picked[j]);
                        tape.output(k + column, inputs, rows, work)
                    };
                    let block = accumulate::Rows { derivative, rows: data, f, columns, magnitude, out };
                    if *multiplies {
                        let first = rows.start == job.start;
                        let stand_for = (job.end - job.start) as f64 / rows.len as f64;
                        block.multiply(level, first.then_some(stand_for));
                    } else {
                        block.fold(level);
                    }
                }
            }
        }
        total
    }

    /// Residuals of one job, of a model with one output.
    pub(crate) fn residuals(
        &self,
        level: Level,
        params: &[f64],
        job: Job,
        f: &mut [f64],
        worker: &mut Worker,
    ) {
        let (tape, work) = (&self.programs.value, &mut worker.tape);
        tape.load(level, params, work);
        for rows in Rows::blocks(job.start, job.end) {
            tape.run_block(level, self.inputs, rows, work);
            let model = tape.output(0, self.inputs, rows, work);
            let (y, w) = (self.part(self.y, 0, rows), self.part(self.w, 0, rows));
            let rows_of = RowData { model, y, w, cost: None };
            let f = &mut f[rows.start - job.start..][..rows.len];
            level.run(Differences { rows: rows_of, f });
        }
    }

    pub(crate) fn linearize(
        &self,
        level: Level,
        params: &[f64],
        job: Job,
        cost: Option<(&Cost, Part)>,
        f: &[f64],
        worker: &mut Worker,
        out: &mut Linearization,
    ) {
        let (tape, p, k) = (&self.programs.jacobian, out.gradient.len(), self.n_outputs);
        let Worker { tape: work, columns, magnitude, .. } = worker;
        if columns.len() < p + 1 {
            columns.resize(p + 1, Column::default());
        }
        tape.load(level, params, work);
        let inputs = self.inputs;
        for rows in Rows::blocks(job.start, job.end) {
            tape.run_block(level, inputs, rows, work);
            for o in 0..k {
                let model = tape.output(o, inputs, rows, work);
                let block = accumulate::Rows {
                    derivative: |j| tape.output(k + o * p + j, inputs, rows, work),
                    rows: RowData {
                        model,
                        y: self.part(self.y, o, rows),
                        w: self.part(self.w, o, rows),
                        cost: self.cost_of(cost, o, rows),
                    },
                    f: &f[o * self.n_rows + rows.start..][..rows.len],
                    columns,
                    magnitude,
                    out,
                };
                block.fold(level);
            }
        }
    }

    pub(crate) fn curvature(
        &self,
        level: Level,
        tape: &Tape,
        params: &[f64],
        job: Job,
        cost: Option<(&Cost, &[f64])>,
        worker: &mut Worker,
        out: &mut [f64],
    ) {
        let (p, k) = (out.len(), self.n_outputs);
        let Worker { tape: work, columns, magnitude, .. } = worker;
        columns.resize(columns.len().max(1), Column::default());
        tape.load(level, params, work);
        let inputs = self.inputs;
        for rows in Rows::blocks(job.start, job.end) {
            tape.run_block(level, inputs, rows, work);
            for o in 0..k {
                let w = self.part(self.w, o, rows);
                let weigh = |output: usize, d: &mut Column| {
                    accumulate::weigh(level, tape.output(output, inputs, rows, work), w, rows.len, d);
                };
                weigh(k * p + o, magnitude);
                let model = cost.map(|(cost, _)| (cost, Part::Model));
                if let (Some((_, f)), Some(cost)) = (cost, self.cost_of(model, o, rows)) {
                    let f = &f[o * self.n_rows + rows.start..][..rows.len];
                    cost.each_curvature(f, |i, h| magnitude.0[i] *= h);
                }
                for j in 0..p {
                    weigh(o * p + j, &mut columns[0]);
                    out[j] += accumulate::dot(level, &columns[0], magnitude, rows.len);
                }
            }
        }
    }

    pub(crate) fn hessian(
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
        if tape.n_params() > params.len() {
            return self.hessian_of_sum(level, tape, pairs, params, f, worker, out);
        }
        let (p, k) = (out.len().isqrt(), self.n_outputs);
        let Worker { tape: work, columns, magnitude, .. } = worker;
        columns.resize(columns.len().max(1), Column::default());
        tape.load(level, params, work);
        let inputs = self.inputs;
        for rows in Rows::blocks(job.start, job.end) {
            tape.run_block(level, inputs, rows, work);
            for o in 0..k {
                let f = &f[o * self.n_rows + rows.start..][..rows.len];
                magnitude.0[..rows.len].copy_from_slice(f);
                for (q, &(j, l)) in pairs.iter().enumerate() {
                    let second = tape.output(o * pairs.len() + q, inputs, rows, work);
                    let w = self.part(self.w, o, rows);
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
    }

    /// The same for a single row, by a tape that takes the weights of its outputs.
    fn hessian_of_sum(
        &self,
        level: Level,
        tape: &Tape,
        pairs: &[(u32, u32)],
        params: &[f64],
        f: &[f64],
        worker: &mut Worker,
        out: &mut [f64],
    ) {
        let (p, rows) = (out.len().isqrt(), Rows { start: 0, len: 1 });
        let Worker { tape: work, columns, .. } = worker;
        columns.resize(columns.len().max(1), Column::default());
        let weight = |o: usize| self.part(self.w, o, rows).map_or(1.0, |w| w[0]);
        let weights = (0..self.n_outputs).map(|o| f[o] * weight(o));
        let params: Vec<f64> = params.iter().copied().chain(weights).collect();
        tape.load(level, &params, work);
        let inputs = self.inputs;
        tape.run_block(level, inputs, rows, work);
        for (q, &(j, l)) in pairs.iter().enumerate() {
            accumulate::weigh(level, tape.output(q, inputs, rows, work), None, 1, &mut columns[0]);
            let (j, l, sum) = (j as usize, l as usize, columns[0].0[0]);
            out[j * p + l] += sum;
            if j != l {
                out[l * p + j] += sum;
            }
        }
    }
}
