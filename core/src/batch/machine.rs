//! The tape machine over a group of fits: blocks of `POINTS` points times the fits, as long as those of a single fit.

use pulp::{Simd, WithSimd};

use super::Row;
use crate::tape::{Level, Op, Operand, POINTS, Real, Slot, Tape, has_fma};

#[derive(Clone, Copy)]
enum Source {
    Constant(f64),
    Cell(usize),
    Input(usize),
}

struct Instruction {
    op: Op,
    dst: usize,
    src: [Source; 3],
}

/// The points of all fits of a group: block after block, point after point, a number for each fit.
pub(super) struct Points<T: Real>(Vec<T::Column>);

impl<T: Real> Points<T> {
    pub(super) fn new(m: usize) -> Self {
        Points(vec![T::Column::default(); m.div_ceil(POINTS)])
    }

    #[inline(always)]
    pub(super) fn set(&mut self, point: usize, lane: usize, value: f64) {
        self.0[point / POINTS].as_mut()[(point % POINTS) * T::WIDTH + lane] = T::of(value);
    }

    /// All points of the fit in a lane; returns the sum of their squares.
    #[inline(always)]
    pub(super) fn fill<U: Real>(&mut self, lane: usize, values: &[U]) -> f64 {
        let mut sums = [0.0; POINTS]; // no addition waits for the one before
        for (block, values) in self.0.iter_mut().zip(values.chunks(POINTS)) {
            let to = block.as_mut()[lane..].iter_mut().step_by(T::WIDTH);
            for ((to, value), sum) in to.zip(values).zip(&mut sums) {
                let value = value.double();
                *to = T::of(value);
                *sum += value * value;
            }
        }
        sums.iter().sum()
    }

    pub(super) fn n_blocks(&self) -> usize {
        self.0.len()
    }

    pub(super) fn block(&self, b: usize) -> &T::Column {
        &self.0[b]
    }

    /// The same numbers for all fits.
    pub(super) fn shared(values: &[f64]) -> Self {
        let mut points = Points::<T>::new(values.len());
        for (point, &value) in values.iter().enumerate() {
            points.0[point / POINTS].as_mut()[(point % POINTS) * T::WIDTH..][..T::WIDTH].fill(T::of(value));
        }
        points
    }
}

/// A tape with its memory.
///
/// Parameters and what follows from them alone are cells of one number per fit, repeated for every point of a block, so
/// that the kernels of single fits serve: an operand is a column or a constant.
pub(super) struct Machine<T: Real> {
    prologue: Vec<Instruction>,
    code: Vec<Instruction>,
    /// Parameters, results of the prologue, registers, constant outputs.
    cells: Vec<T::Column>,
    /// Those of the first cells that the code reads, to be repeated.
    repeated: Vec<usize>,
    outputs: Vec<Source>,
    pub inputs: Vec<Points<T>>,
    room: T::Room,
}

impl<T: Real> Machine<T> {
    /// A tape without branches that takes `values` as parameters, and `inputs`.
    pub(super) fn new(tape: &Tape, values: &[f64], inputs: Vec<Points<T>>) -> Option<Self> {
        if tape.is_guarded() || (tape.n_params(), tape.n_inputs()) != (values.len(), inputs.len()) {
            return None;
        }
        let lowered = Lowered::of(tape);
        let mut cells = vec![T::Column::default(); lowered.n_cells];
        for (cell, value) in &lowered.constants {
            cells[*cell].as_mut().fill(T::of(*value));
        }
        for (cell, &value) in cells.iter_mut().zip(values) {
            cell.as_mut().fill(T::of(value));
        }
        let Lowered { prologue, code, repeated, outputs, .. } = lowered;
        let room = T::Room::default();
        Some(Machine { prologue, code, cells, repeated, outputs, inputs, room })
    }

    /// Parameter `j` of the fit in a lane, until the next call.
    pub(super) fn hold(&mut self, j: usize, lane: usize, value: f64) {
        let cells = self.cells[j].as_mut()[..T::BLOCK].iter_mut();
        cells.skip(lane).step_by(T::WIDTH).for_each(|cell| *cell = T::of(value));
    }

    /// Parameters `free` at `x`, and what follows from them alone.
    pub(super) fn prepare(&mut self, level: Level, free: &[usize], x: &[Row<T>]) {
        for (&j, row) in free.iter().zip(x) {
            self.cells[j].as_mut()[..T::WIDTH].copy_from_slice(row);
        }
        let Self { prologue, cells, inputs, room, .. } = self;
        level.run(Run::<T> { code: prologue, cells, inputs, block: 0, n: T::WIDTH, room });
        for &j in &self.repeated {
            let (first, rest) = cells[j].as_mut()[..T::BLOCK].split_at_mut(T::WIDTH);
            rest.chunks_exact_mut(T::WIDTH).for_each(|chunk| chunk.copy_from_slice(first));
        }
    }

    /// The first points of block `b`.
    pub(super) fn run(&mut self, level: Level, b: usize, points: usize) {
        let Self { code, cells, inputs, room, .. } = self;
        level.run(Run::<T> { code, cells, inputs, block: b, n: points * T::WIDTH, room });
    }

    /// Output `k` of block `b`, which was run last.
    pub(super) fn output(&self, k: usize, b: usize) -> &T::Column {
        match self.outputs[k] {
            Source::Cell(j) => &self.cells[j],
            Source::Input(j) => self.inputs[j].block(b),
            Source::Constant(_) => unreachable!("constant outputs have cells"),
        }
    }
}

/// A tape as cells and inputs.
struct Lowered {
    prologue: Vec<Instruction>,
    code: Vec<Instruction>,
    repeated: Vec<usize>,
    outputs: Vec<Source>,
    constants: Vec<(usize, f64)>,
    n_cells: usize,
}

impl Lowered {
    fn of(tape: &Tape) -> Self {
        let (p, c) = (tape.n_params, tape.constants.len());
        let n_scalars = p + c + tape.prologue.len();
        let scalar = |j: usize| match j.checked_sub(p) {
            Some(k) if k < c => Source::Constant(tape.constants[k]),
            _ => Source::Cell(j),
        };
        let source = |slot: Slot| match slot {
            Slot::Scalar(j) => scalar(j),
            Slot::Input(j) => Source::Input(j),
            Slot::Register(j) => Source::Cell(n_scalars + j),
        };
        let prologue = tape.prologue.iter().enumerate();
        let prologue =
            prologue.map(|(k, &(op, src))| Instruction { op, dst: p + c + k, src: src.map(scalar) });
        let code = tape.code.iter();
        let code = code.map(|i| Instruction { op: i.op, dst: n_scalars + i.dst, src: i.src.map(source) });
        let mut lowered = Lowered {
            prologue: prologue.collect(),
            code: code.collect(),
            repeated: Vec::new(),
            outputs: Vec::new(),
            constants: Vec::new(),
            n_cells: n_scalars + tape.n_registers(),
        };
        for &slot in &tape.outputs {
            let output = match source(slot) {
                Source::Constant(value) => {
                    lowered.constants.push((lowered.n_cells, value));
                    lowered.n_cells += 1;
                    Source::Cell(lowered.n_cells - 1)
                }
                other => other,
            };
            lowered.outputs.push(output);
        }
        let read = lowered.code.iter().flat_map(|i| i.src).chain(lowered.outputs.iter().copied());
        lowered.repeated = read
            .filter_map(|s| match s {
                Source::Cell(j) if j < n_scalars => Some(j),
                _ => None,
            })
            .collect();
        lowered.repeated.sort_unstable();
        lowered.repeated.dedup();
        lowered
    }
}

/// Instructions over the first `n` numbers of their columns.
struct Run<'a, T: Real> {
    code: &'a [Instruction],
    cells: &'a mut [T::Column],
    inputs: &'a [Points<T>],
    block: usize,
    n: usize,
    room: &'a mut T::Room,
}

impl<T: Real> WithSimd for Run<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        if has_fma::<S>() { self.evaluate::<true>() } else { self.evaluate::<false>() }
    }
}

impl<T: Real> Run<'_, T> {
    #[inline(always)]
    fn evaluate<const F: bool>(self) {
        let Run { code, cells, inputs, block, n, room } = self;
        for i in code {
            let (low, rest) = cells.split_at_mut(i.dst);
            let Some((d, high)) = rest.split_first_mut() else { return };
            let from = From::<T> { inputs, block, n, low, high };
            let [a, b, c] = i.src;
            T::apply::<F>(i.op, &mut d.as_mut()[..n], [from.get(a), from.get(b), from.get(c)], room);
        }
    }
}

/// What an instruction may read: all cells but the one it writes, which is between `low` and `high`.
struct From<'a, T: Real> {
    inputs: &'a [Points<T>],
    block: usize,
    n: usize,
    low: &'a [T::Column],
    high: &'a [T::Column],
}

impl<'a, T: Real> From<'a, T> {
    /// (Not a closure, nor by `map`: those are left as functions, 3 % of the time of small fits.)
    #[inline(always)]
    fn get(&self, source: Source) -> Operand<'a, T> {
        let column = match source {
            Source::Constant(value) => return Operand::Scalar(T::of(value)),
            Source::Input(j) => &self.inputs[j].0[self.block],
            Source::Cell(j) if j < self.low.len() => &self.low[j],
            Source::Cell(j) => &self.high[j - self.low.len() - 1],
        };
        Operand::Column(&column.as_ref()[..self.n])
    }
}
