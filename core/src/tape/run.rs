//! Running a checked program over blocks of points.

use pulp::{Simd, WithSimd};

use super::level::{Level, has_fma};
use super::ops::{self, Operand};
use super::program::{Slot, Tape};
use super::workspace::{BLOCK, Column, Workspace, padded};

/// A run of rows of the data, at most `BLOCK` of them.
#[derive(Clone, Copy)]
pub struct Rows {
    pub start: usize,
    pub len: usize,
}

impl Rows {
    /// The blocks that cover start..end.
    pub fn blocks(start: usize, end: usize) -> impl Iterator<Item = Rows> {
        (start..end).step_by(BLOCK).map(move |start| Rows { start, len: BLOCK.min(end - start) })
    }
}

impl Tape {
    /// Puts parameters and constants in place and runs the prologue. To be called before the blocks.
    pub fn load(&self, level: Level, params: &[f64], work: &mut Workspace) {
        assert_eq!(params.len(), self.n_params, "number of parameters");
        work.fit(self.n_registers, self.n_inputs);
        work.scalars.clear();
        work.scalars.extend_from_slice(params);
        work.scalars.extend_from_slice(&self.constants);
        if !self.prologue.is_empty() {
            level.run(Prologue { tape: self, scalars: &mut work.scalars });
        }
    }

    /// Whether the program is valid at the parameters loaded last.
    pub fn guards_hold(&self, work: &Workspace) -> bool {
        self.guards.iter().all(|&(slot, truth)| (work.scalars[slot] != 0.0) == truth)
    }

    /// Evaluates one block; the outputs stay in the workspace. `inputs` are whole data columns.
    pub fn run_block(&self, level: Level, inputs: &[&[f64]], rows: Rows, work: &mut Workspace) {
        assert_eq!(inputs.len(), self.n_inputs, "number of inputs");
        assert!(rows.len <= BLOCK);
        if self.code.is_empty() || rows.len == 0 {
            return;
        }
        level.run(Block { tape: self, inputs, rows, work });
    }

    /// Output `k` of the block evaluated last.
    #[inline]
    pub(crate) fn output<'a>(
        &self,
        k: usize,
        inputs: &[&'a [f64]],
        rows: Rows,
        work: &'a Workspace,
    ) -> Operand<'a> {
        match self.outputs[k] {
            Slot::Scalar(j) => Operand::Scalar(work.scalars[j]),
            Slot::Input(j) => Operand::Column(&inputs[j][rows.start..][..rows.len]),
            Slot::Register(j) => Operand::Column(&work.registers[j].0[..rows.len]),
        }
    }

    /// Evaluates all points `repeat` times and leaves the outputs in the workspace: what timings need.
    pub fn run_in_place(
        &self,
        level: Level,
        params: &[f64],
        inputs: &[&[f64]],
        n: usize,
        work: &mut Workspace,
        repeat: usize,
    ) {
        for _ in 0..repeat {
            self.load(level, params, work);
            for rows in Rows::blocks(0, n) {
                self.run_block(level, inputs, rows, work);
            }
        }
    }

    /// Evaluates all points and writes output k to `outputs[k]`.
    pub fn run(
        &self,
        level: Level,
        params: &[f64],
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
        work: &mut Workspace,
    ) {
        assert_eq!(outputs.len(), self.n_outputs(), "number of outputs");
        let n = outputs.first().map_or(0, |o| o.len());
        self.load(level, params, work);
        for rows in Rows::blocks(0, n) {
            self.run_block(level, inputs, rows, work);
            for (k, out) in outputs.iter_mut().enumerate() {
                let out = &mut out[rows.start..][..rows.len];
                match self.output(k, inputs, rows, work) {
                    Operand::Scalar(x) => out.fill(x),
                    Operand::Column(x) => out.copy_from_slice(x),
                }
            }
        }
    }
}

struct Prologue<'a> {
    tape: &'a Tape,
    scalars: &'a mut Vec<f64>,
}

impl WithSimd for Prologue<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        if has_fma::<S>() { self.evaluate::<true>() } else { self.evaluate::<false>() }
    }
}

impl Prologue<'_> {
    #[inline(always)]
    fn evaluate<const F: bool>(self) {
        for &(op, [a, b, c]) in &self.tape.prologue {
            let s = &*self.scalars;
            let value = ops::scalar::<F>(op, s[a], s[b], s[c]);
            self.scalars.push(value);
        }
    }
}

struct Block<'a, 'b> {
    tape: &'a Tape,
    inputs: &'a [&'b [f64]],
    rows: Rows,
    work: &'a mut Workspace,
}

impl WithSimd for Block<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        if has_fma::<S>() { self.evaluate::<true>() } else { self.evaluate::<false>() }
    }
}

impl Block<'_, '_> {
    #[inline(always)]
    fn evaluate<const F: bool>(self) {
        let Block { tape, inputs, rows, work } = self;
        let n = padded(rows.len);
        let Workspace { scalars, registers, short, room } = work;
        let is_short = n != rows.len;
        if is_short {
            fill_short(inputs, rows, short);
        }
        for i in &tape.code {
            let (low, rest) = registers.split_at_mut(i.dst);
            let Some((d, high)) = rest.split_first_mut() else { return };
            let operand = |slot: Slot| match slot {
                Slot::Scalar(j) => Operand::Scalar(scalars[j]),
                Slot::Input(j) if is_short => Operand::Column(&short[j].0[..n]),
                Slot::Input(j) => Operand::Column(&inputs[j][rows.start..][..n]),
                Slot::Register(j) if j < i.dst => Operand::Column(&low[j].0[..n]),
                Slot::Register(j) => Operand::Column(&high[j - i.dst - 1].0[..n]),
            };
            ops::apply::<F>(i.op, &mut d.0[..n], i.src.map(operand), room);
        }
    }
}

/// Copies the inputs of a block that is no multiple of the vector step, repeating their last value: a padding lane
/// then does what its neighbor does and meets no special case of its own.
fn fill_short(inputs: &[&[f64]], rows: Rows, short: &mut [Column]) {
    for (column, input) in short.iter_mut().zip(inputs) {
        let source = &input[rows.start..][..rows.len];
        column.0[..rows.len].copy_from_slice(source);
        column.0[rows.len..padded(rows.len)].fill(source[rows.len - 1]);
    }
}
