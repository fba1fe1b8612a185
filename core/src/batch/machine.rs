//! The tape machine over a group of fits: blocks of `POINTS` points times `WIDTH` fits, as long as those of a single fit.

use pulp::{Simd, WithSimd};

use super::{Row, WIDTH};
use crate::tape::{BLOCK, Column, Level, Op, Operand, Slot, Tape, apply, has_fma};

/// Points of a block.
pub const POINTS: usize = BLOCK / WIDTH;

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
pub(super) struct Points(Vec<Column>);

impl Points {
    pub(super) fn new(m: usize) -> Self {
        Points(vec![Column::default(); m.div_ceil(POINTS)])
    }

    #[inline(always)]
    pub(super) fn set(&mut self, point: usize, lane: usize, value: f64) {
        self.0[point / POINTS].0[(point % POINTS) * WIDTH + lane] = value;
    }

    /// All points of the fit in a lane.
    #[inline(always)]
    pub(super) fn fill(&mut self, lane: usize, values: impl Iterator<Item = f64>) {
        let mut to = self.0.iter_mut().flat_map(|block| block.0[..BLOCK].chunks_exact_mut(WIDTH));
        values.for_each(|value| {
            if let Some(point) = to.next() {
                point[lane] = value;
            }
        });
    }

    pub(super) fn n_blocks(&self) -> usize {
        self.0.len()
    }

    pub(super) fn block(&self, b: usize) -> &Column {
        &self.0[b]
    }

    /// The same numbers for all fits.
    pub(super) fn shared(values: &[f64]) -> Self {
        let mut points = Points::new(values.len());
        for (point, &value) in values.iter().enumerate() {
            points.0[point / POINTS].0[(point % POINTS) * WIDTH..][..WIDTH].fill(value);
        }
        points
    }
}

/// A tape with its memory.
///
/// Parameters and what follows from them alone are cells of one number per fit, repeated for every point of a block, so
/// that the kernels of single fits serve: an operand is a column or a constant.
pub(super) struct Machine {
    prologue: Vec<Instruction>,
    code: Vec<Instruction>,
    /// Parameters, results of the prologue, registers, constant outputs.
    cells: Vec<Column>,
    /// Those of the first cells that the code reads, to be repeated.
    repeated: Vec<usize>,
    outputs: Vec<Source>,
    pub inputs: Vec<Points>,
    room: [Column; 2],
}

impl Machine {
    /// A tape without branches that takes `values` as parameters, and `inputs`.
    pub(super) fn new(tape: &Tape, values: &[f64], inputs: Vec<Points>) -> Option<Self> {
        if tape.is_guarded() || (tape.n_params(), tape.n_inputs()) != (values.len(), inputs.len()) {
            return None;
        }
        let lowered = Lowered::of(tape);
        let mut cells = vec![Column::default(); lowered.n_cells];
        for (cell, value) in &lowered.constants {
            cells[*cell].0.fill(*value);
        }
        for (cell, &value) in cells.iter_mut().zip(values) {
            cell.0.fill(value);
        }
        let Lowered { prologue, code, repeated, outputs, .. } = lowered;
        let room = [Column::default(), Column::default()];
        Some(Machine { prologue, code, cells, repeated, outputs, inputs, room })
    }

    /// Parameter `j` of the fit in a lane, until the next call.
    pub(super) fn hold(&mut self, j: usize, lane: usize, value: f64) {
        self.cells[j].0[..BLOCK].iter_mut().skip(lane).step_by(WIDTH).for_each(|cell| *cell = value);
    }

    /// Parameters `free` at `x`, and what follows from them alone.
    pub(super) fn prepare(&mut self, level: Level, free: &[usize], x: &[Row]) {
        for (&j, row) in free.iter().zip(x) {
            self.cells[j].0[..WIDTH].copy_from_slice(&row.0);
        }
        let Self { prologue, cells, inputs, room, .. } = self;
        level.run(Run { code: prologue, cells, inputs, block: 0, n: WIDTH, room });
        for &j in &self.repeated {
            let (first, rest) = cells[j].0[..BLOCK].split_at_mut(WIDTH);
            rest.chunks_exact_mut(WIDTH).for_each(|chunk| chunk.copy_from_slice(first));
        }
    }

    /// The first points of block `b`.
    pub(super) fn run(&mut self, level: Level, b: usize, points: usize) {
        let Self { code, cells, inputs, room, .. } = self;
        level.run(Run { code, cells, inputs, block: b, n: points * WIDTH, room });
    }

    /// Output `k` of block `b`, which was run last.
    pub(super) fn output(&self, k: usize, b: usize) -> &Column {
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
struct Run<'a> {
    code: &'a [Instruction],
    cells: &'a mut [Column],
    inputs: &'a [Points],
    block: usize,
    n: usize,
    room: &'a mut [Column; 2],
}

impl WithSimd for Run<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        if has_fma::<S>() { self.evaluate::<true>() } else { self.evaluate::<false>() }
    }
}

impl Run<'_> {
    #[inline(always)]
    fn evaluate<const F: bool>(self) {
        let Run { code, cells, inputs, block, n, room } = self;
        for i in code {
            let (low, rest) = cells.split_at_mut(i.dst);
            let Some((d, high)) = rest.split_first_mut() else { return };
            let from = From { inputs, block, n, low, high };
            let [a, b, c] = i.src;
            apply::<F>(i.op, &mut d.0[..n], [from.get(a), from.get(b), from.get(c)], room);
        }
    }
}

/// What an instruction may read: all cells but the one it writes, which is between `low` and `high`.
#[derive(Clone, Copy)]
struct From<'a> {
    inputs: &'a [Points],
    block: usize,
    n: usize,
    low: &'a [Column],
    high: &'a [Column],
}

impl<'a> From<'a> {
    /// (Not a closure, nor by `map`: those are left as functions, 3 % of the time of small fits.)
    #[inline(always)]
    fn get(self, source: Source) -> Operand<'a> {
        let column = match source {
            Source::Constant(value) => return Operand::Scalar(value),
            Source::Input(j) => &self.inputs[j].0[self.block],
            Source::Cell(j) if j < self.low.len() => &self.low[j],
            Source::Cell(j) => &self.high[j - self.low.len() - 1],
        };
        Operand::Column(&column.0[..self.n])
    }
}
