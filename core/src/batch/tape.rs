//! A tape run over a group of fits: blocks of `POINTS` points times `WIDTH` fits, as long as the blocks of a single fit.

use pulp::{Simd, WithSimd};

use super::data::{Data, Table};
use super::normal::{Block, accumulate};
use super::{LaneModel, Row, Size, Sums, WIDTH};
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
struct Grid(Vec<Column>);

impl Grid {
    fn new(m: usize) -> Self {
        Grid(vec![Column::default(); m.div_ceil(POINTS)])
    }

    #[inline(always)]
    fn set(&mut self, point: usize, lane: usize, value: f64) {
        self.0[point / POINTS].0[(point % POINTS) * WIDTH + lane] = value;
    }

    /// The same numbers for all fits.
    fn shared(values: &[f64]) -> Self {
        let mut grid = Grid::new(values.len());
        for (point, &value) in values.iter().enumerate() {
            grid.0[point / POINTS].0[(point % POINTS) * WIDTH..][..WIDTH].fill(value);
        }
        grid
    }
}

/// A tape with the outputs model, derivative by each free parameter, over a group of fits.
///
/// Parameters and what follows from them alone are cells of one number per fit, repeated for every point of a block, so
/// that the kernels of single fits serve: an operand is a column or a constant.
pub struct TapeLanes<'a> {
    data: &'a Data<'a>,
    prologue: Vec<Instruction>,
    code: Vec<Instruction>,
    /// Parameters, results of the prologue, registers, constant outputs.
    cells: Vec<Column>,
    /// Those of the first cells that the code reads, to be repeated.
    repeated: Vec<usize>,
    outputs: Vec<Source>,
    inputs: Vec<Grid>,
    y: Grid,
    weights: Option<Grid>,
    room: [Column; 2],
    block: Block,
    held: Vec<usize>,
}

impl<'a> TapeLanes<'a> {
    /// `tape` takes all parameters of the model and the columns of `data`; None where it has branches.
    pub fn new(tape: &Tape, data: &'a Data<'a>) -> Option<Self> {
        let p = data.free.len();
        let fits = (tape.n_params(), tape.n_inputs(), tape.n_outputs())
            == (data.values.len(), data.columns.len(), p + 1);
        if tape.is_guarded() || !fits {
            return None;
        }
        let lowered = Lowered::of(tape);
        let mut cells = vec![Column::default(); lowered.n_cells];
        for (cell, value) in &lowered.constants {
            cells[*cell].0.fill(*value);
        }
        for (cell, &value) in cells.iter_mut().zip(data.values) {
            cell.0.fill(value);
        }
        let inputs = data.columns.iter().map(|column| match column {
            Table::Shared(values) => Grid::shared(values),
            Table::Own(_) => Grid::new(data.n_points),
        });
        let weighted = data.weights.is_some() || data.mask.is_some();
        let mut weights = weighted.then(|| Grid::new(data.n_points));
        if let (Some(grid), Some(Table::Shared(w)), None) = (&mut weights, &data.weights, &data.mask) {
            *grid = Grid::shared(w);
        }
        Some(TapeLanes {
            inputs: inputs.collect(),
            y: Grid::new(data.n_points),
            weights,
            room: [Column::default(), Column::default()],
            block: Block::new(p),
            held: (0..data.values.len()).filter(|j| !data.free.contains(j)).collect(),
            prologue: lowered.prologue,
            code: lowered.code,
            repeated: lowered.repeated,
            outputs: lowered.outputs,
            cells,
            data,
        })
    }
}

impl LaneModel for TapeLanes<'_> {
    fn n_params(&self) -> usize {
        self.data.free.len()
    }

    fn load(&mut self, fit: usize, lane: usize) -> Size {
        let (data, m) = (self.data, self.data.n_points);
        for (grid, column) in self.inputs.iter_mut().zip(&data.columns) {
            if let Table::Own(_) = column {
                column.of(fit, m).iter().enumerate().for_each(|(i, &x)| grid.set(i, lane, x));
            }
        }
        if let Some(held) = data.held {
            let own = &held[fit * self.held.len()..];
            for (&j, &value) in self.held.iter().zip(own) {
                self.cells[j].0[..BLOCK].iter_mut().skip(lane).step_by(WIDTH).for_each(|cell| *cell = value);
            }
        }
        let mut size = Size { n_points: m, squares: 0.0 };
        let Some(weights) = &mut self.weights else {
            for i in 0..m {
                let y = data.y.at(fit * m + i);
                self.y.set(i, lane, y);
                size.squares += y * y;
            }
            return size;
        };
        let own = data.weights.map(|w| w.of(fit, m));
        for i in 0..m {
            let counts = data.mask.is_none_or(|mask| mask[fit * m + i]);
            let w = if counts { own.map_or(1.0, |w| w[i]) } else { 0.0 };
            let y = if w == 0.0 { 0.0 } else { data.y.at(fit * m + i) };
            weights.set(i, lane, w);
            self.y.set(i, lane, y);
            size.squares += (w * y) * (w * y);
            size.n_points -= usize::from(w == 0.0);
        }
        size
    }

    fn evaluate(&mut self, level: Level, x: &[Row], out: &mut Sums) {
        out.clear();
        for (&j, row) in self.data.free.iter().zip(x) {
            self.cells[j].0[..WIDTH].copy_from_slice(&row.0);
        }
        let Self { cells, room, inputs, .. } = self;
        level.run(Run { code: &self.prologue, cells, inputs, block: 0, n: WIDTH, room });
        for &j in &self.repeated {
            let (first, rest) = cells[j].0[..BLOCK].split_at_mut(WIDTH);
            rest.chunks_exact_mut(WIDTH).for_each(|chunk| chunk.copy_from_slice(first));
        }
        for b in 0..self.y.0.len() {
            let points = POINTS.min(self.data.n_points - b * POINTS);
            level.run(Run { code: &self.code, cells, inputs, block: b, n: points * WIDTH, room });
            let output = |k: usize| match self.outputs[k] {
                Source::Cell(j) => &cells[j],
                Source::Input(j) => &inputs[j].0[b],
                Source::Constant(_) => unreachable!("constant outputs have cells"),
            };
            let weights = self.weights.as_ref().map(|w| &w.0[b]);
            accumulate(level, &mut self.block, output, &self.y.0[b], weights, points, out);
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
    inputs: &'a [Grid],
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
            let operand = |source: Source| match source {
                Source::Constant(value) => Operand::Scalar(value),
                Source::Input(j) => Operand::Column(&inputs[j].0[block].0[..n]),
                Source::Cell(j) if j < i.dst => Operand::Column(&low[j].0[..n]),
                Source::Cell(j) => Operand::Column(&high[j - i.dst - 1].0[..n]),
            };
            apply::<F>(i.op, &mut d.0[..n], i.src.map(operand), room);
        }
    }
}
