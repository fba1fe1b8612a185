//! A family of residuals: one traced function over many items, each with variables and data of its own.

use std::borrow::Cow;

use pulp::{Simd, WithSimd};

use crate::loss::Robust;
use crate::tape::{BLOCK, Column, Level, Operand, Rows, Tape, Workspace};

use super::layout::Layout;
use super::lines::Lines;

/// Family of variables and the variable of every item, per slot of a function.
pub type Slots = Vec<(usize, Vec<u32>)>;

/// What the items of a family compute.
pub struct Contents {
    /// Residuals per item.
    pub rows: usize,
    /// Data, one number per item and column.
    pub columns: Vec<Vec<f64>>,
    /// Residuals; and residuals with their derivatives, row by row. None: both are given from outside.
    pub programs: Option<(Program, Program)>,
    pub loss: Option<Robust>,
}

/// A program over the items. Its inputs are, slot by slot, the columns of a table with a row per variable, or the
/// numbers of the variable where there is no table; then the data.
pub struct Program {
    pub tape: Tape,
    /// What makes the table of a slot from the numbers of a variable.
    pub tables: Vec<Option<Tape>>,
}

/// What the inputs of a slot are read from: rows of so many numbers, one per variable.
pub type Source<'a> = (Cow<'a, [f64]>, usize);

pub struct Slot {
    pub variable: usize,
    pub ambient: usize,
    pub tangent: usize,
    /// The variable of each item, in the order of the tracks.
    pub index: Vec<u32>,
    /// First column among the derivatives by kept variables.
    pub column: usize,
    /// First block of its variables in the reduced system.
    pub first_block: usize,
}

/// The items in the order of their tracks (those of one eliminated variable stand together), with a record of each:
/// `[J of kept | U | J of eliminated | r]`, row by row, where U = J_e L^-T and L L' is the eliminated variable's block.
/// What a step reads of an item so lies in a few cache lines side by side.
pub struct Family {
    pub n: usize,
    pub rows: usize,
    pub slots: Vec<Slot>,
    /// Slots of kept variables.
    pub kept: Vec<usize>,
    /// Columns of the derivatives by kept variables, and by the eliminated one.
    pub width: usize,
    pub eliminated: usize,
    pub loss: Option<Robust>,
    /// Least part of the curvature of the squares that a loss leaves along the residuals.
    pub floor: f64,
    /// Factors of the squared norms of the items.
    pub weights: Option<Vec<f64>>,
    /// The item as it was given, for each place.
    pub order: Vec<u32>,
    /// First place of each track, and the end.
    pub starts: Vec<u32>,
    pub records: Lines,
    /// Numbers from one record to the next.
    pub stride: usize,
    columns: Vec<Vec<f64>>,
    programs: Option<(Program, Program)>,
    /// Which output of the second program stands at each place of a record.
    output_at: Vec<Option<usize>>,
    given: Option<Given>,
}

/// Residuals and derivatives computed elsewhere, in the order of the items as given.
pub struct Given {
    pub residuals: Vec<f64>,
    pub jacobian: Vec<f64>,
}

/// Scratch of one thread.
#[derive(Default)]
pub struct Scratch {
    work: Workspace,
    gathered: Vec<Column>,
}

impl Family {
    /// The items of a family without what they compute: no residuals yet.
    pub fn new(given: Slots, layout: &Layout) -> Self {
        let n = given[0].1.len();
        let tracked = given.iter().position(|s| !layout.is_kept(s.0));
        let order = in_tracks(&given, tracked);
        let starts = match tracked {
            Some(s) => starts(&given[s].1, layout.n_eliminated()),
            None => (0..=n as u32).collect(),
        };
        let (mut width, mut kept) = (0, Vec::new());
        let mut slots = Vec::with_capacity(given.len());
        for (k, (variable, index)) in given.into_iter().enumerate() {
            let sizes = layout.sizes[variable];
            let index = sorted(index, &order, tracked.is_some());
            let (ambient, tangent) = (sizes.ambient, sizes.tangent);
            let first_block = layout.first_block[variable];
            slots.push(Slot { variable, ambient, tangent, index, column: width, first_block });
            if tracked != Some(k) {
                kept.push(k);
                width += tangent;
            }
        }
        let eliminated = tracked.map_or(0, |s| slots[s].tangent);
        let records = Lines::new(n, 0);
        Family {
            n,
            rows: 0,
            slots,
            kept,
            width,
            eliminated,
            loss: None,
            floor: 1.0,
            weights: None,
            order,
            starts,
            stride: records.stride,
            records,
            columns: Vec::new(),
            programs: None,
            output_at: Vec::new(),
            given: None,
        }
    }

    pub fn supply(&mut self, contents: Contents) {
        self.rows = contents.rows;
        let (order, tracked) = (&self.order, self.eliminated > 0);
        self.columns = contents.columns.into_iter().map(|c| sorted(c, order, tracked)).collect();
        (self.programs, self.loss) = (contents.programs, contents.loss);
        self.records = Lines::new(self.n, self.rows * (self.width + 2 * self.eliminated + 1));
        self.stride = self.records.stride;
        self.output_at = self.outputs();
    }

    /// Where U, the derivatives by the eliminated variable, and the residuals begin in a record.
    pub fn at_u(&self) -> usize {
        self.rows * self.width
    }

    pub fn at_eliminated(&self) -> usize {
        self.rows * (self.width + self.eliminated)
    }

    pub fn at_residuals(&self) -> usize {
        self.rows * (self.width + 2 * self.eliminated)
    }

    pub fn give(&mut self, given: Given) {
        self.given = Some(given);
    }

    fn outputs(&self) -> Vec<Option<usize>> {
        let mut outputs = vec![None; self.stride];
        let mut next = 0..;
        let mut put = |first: usize, n: usize| {
            outputs[first..first + n].iter_mut().zip(&mut next).for_each(|(place, k)| *place = Some(k));
        };
        put(self.at_residuals(), self.rows);
        for i in 0..self.rows {
            for (k, slot) in self.slots.iter().enumerate() {
                let is_kept = self.kept.contains(&k);
                let own = self.at_eliminated() + i * self.eliminated;
                put(if is_kept { i * self.width + slot.column } else { own }, slot.tangent);
            }
        }
        outputs
    }

    /// Residuals and derivatives of the items start..end, at most `BLOCK` of them, into their records.
    pub fn linearize(
        &self,
        sources: &[Source],
        start: usize,
        end: usize,
        records: &mut [f64],
        s: &mut Scratch,
    ) {
        let Some((_, program)) = &self.programs else {
            return self.fill(start, end, records);
        };
        self.run(&program.tape, sources, start, end, s, |outputs| {
            let at = |k: &Option<usize>| k.map_or(Operand::Scalar(0.0), |k| outputs[k]);
            let columns: Vec<Operand> = self.output_at.iter().map(at).collect();
            let records = &mut records[..(end - start) * self.stride];
            Level::best().run(Transpose { columns: &columns, records, stride: self.stride });
        });
    }

    /// Squared norms of the items start..end without their weights.
    pub fn squares(&self, sources: &[Source], start: usize, end: usize, s: &mut Scratch, out: &mut [f64]) {
        out.fill(0.0);
        let Some((program, _)) = &self.programs else {
            let given = self.given.as_ref().map_or(&[][..], |g| &g.residuals);
            for (place, sum) in (start..end).zip(out) {
                let item = self.order[place] as usize;
                *sum = given[item * self.rows..][..self.rows].iter().map(|r| r * r).sum();
            }
            return;
        };
        self.run(&program.tape, sources, start, end, s, |outputs| {
            for output in outputs {
                match *output {
                    Operand::Column(c) => out.iter_mut().zip(c).for_each(|(sum, &r)| *sum += r * r),
                    Operand::Scalar(x) => out.iter_mut().for_each(|sum| *sum += x * x),
                }
            }
        });
    }

    /// Runs a program on the items start..end and hands its outputs on.
    fn run(
        &self,
        program: &Tape,
        sources: &[Source],
        start: usize,
        end: usize,
        s: &mut Scratch,
        take: impl FnOnce(&[Operand]),
    ) {
        let len = end - start;
        assert!(len <= BLOCK);
        self.gather(sources, start, end, &mut s.gathered);
        let mut inputs: Vec<&[f64]> = s.gathered.iter().map(|c| &c.0[..len]).collect();
        inputs.extend(self.columns.iter().map(|c| &c[start..end]));
        let rows = Rows { start: 0, len };
        let level = Level::best();
        program.load(level, &[], &mut s.work);
        program.run_block(level, &inputs, rows, &mut s.work);
        let outputs = (0..program.n_outputs()).map(|k| program.output(k, &inputs, rows, &s.work));
        take(&outputs.collect::<Vec<_>>());
    }

    /// What the inputs of the slots are read from, for the residuals alone or with their derivatives.
    pub fn sources<'a>(&self, values: &[&'a [f64]], derivatives: bool) -> Vec<Source<'a>> {
        let Some((value, linear)) = &self.programs else { return Vec::new() };
        let tables = if derivatives { &linear.tables } else { &value.tables };
        let source = |(slot, table): (&Slot, &Option<Tape>)| {
            let values = values[slot.variable];
            match table {
                None => (Cow::Borrowed(values), slot.ambient),
                Some(tape) => (Cow::Owned(rows_of(tape, values, slot.ambient)), tape.n_outputs()),
            }
        };
        self.slots.iter().zip(tables).map(source).collect()
    }

    /// The inputs of the slots of the items start..end as columns.
    fn gather(&self, sources: &[Source], start: usize, end: usize, columns: &mut Vec<Column>) {
        columns.resize(sources.iter().map(|s| s.1).sum(), Column::default());
        let mut rest = &mut columns[..];
        for (slot, (rows, width)) in self.slots.iter().zip(sources) {
            let (own, others) = rest.split_at_mut(*width);
            for (i, &v) in slot.index[start..end].iter().enumerate() {
                let row = &rows[v as usize * width..][..*width];
                own.iter_mut().zip(row).for_each(|(column, &x)| column.0[i] = x);
            }
            rest = others;
        }
    }

    /// As `linearize`, from what was computed elsewhere.
    fn fill(&self, start: usize, end: usize, records: &mut [f64]) {
        let Some(given) = &self.given else { return };
        let per_item = self.rows * self.slots.iter().map(|s| s.tangent).sum::<usize>();
        for (place, record) in (start..end).zip(records.chunks_mut(self.stride)) {
            let item = self.order[place] as usize;
            let residuals = &given.residuals[item * self.rows..][..self.rows];
            let jacobian = &given.jacobian[item * per_item..][..per_item];
            let outputs = self.output_at.iter().zip(record);
            for (k, place) in outputs.filter_map(|(k, place)| k.map(|k| (k, place))) {
                *place = if k < self.rows { residuals[k] } else { jacobian[k - self.rows] };
            }
        }
    }
}

/// Columns of outputs become records, in squares of eight by eight: one cache line of each column and of each record.
/// Written column by column the records took as long as the tape.
struct Transpose<'a> {
    columns: &'a [Operand<'a>],
    records: &'a mut [f64],
    stride: usize,
}

impl WithSimd for Transpose<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Transpose { columns, records, stride } = self;
        for (t, records) in records.chunks_mut(8 * stride).enumerate() {
            for (q, columns) in columns.as_chunks::<8>().0.iter().enumerate() {
                let mut square = [[0.0; 8]; 8];
                for j in 0..8 {
                    match columns[j] {
                        Operand::Scalar(x) => square[j] = [x; 8],
                        Operand::Column(c) => match c[8 * t..].first_chunk::<8>() {
                            Some(line) => square[j] = *line,
                            None => c[8 * t..].iter().enumerate().for_each(|(i, &x)| square[j][i] = x),
                        },
                    }
                }
                for (i, record) in records.chunks_mut(stride).enumerate() {
                    let Some(line) = record[8 * q..].first_chunk_mut::<8>() else { continue };
                    *line = std::array::from_fn(|j| square[j][i]);
                }
            }
        }
    }
}

/// The table of a slot: a row of the tape's outputs for each variable.
fn rows_of(tape: &Tape, values: &[f64], ambient: usize) -> Vec<f64> {
    let (n, width) = (values.len() / ambient, tape.n_outputs());
    let columns: Vec<Vec<f64>> =
        (0..ambient).map(|c| values.iter().skip(c).step_by(ambient).copied().collect()).collect();
    let inputs: Vec<&[f64]> = columns.iter().map(|c| &c[..]).collect();
    let mut outputs = vec![0.0; n * width];
    if n > 0 {
        let mut parts: Vec<&mut [f64]> = outputs.chunks_mut(n).collect();
        tape.run(Level::best(), &[], &inputs, &mut parts, &mut Workspace::new());
    }
    (0..n * width).map(|k| outputs[k % width * n + k / width]).collect()
}

/// The items by eliminated variable, those of one by their first kept variable: most pairs then stand the right way
/// round for the lower triangle.
fn in_tracks(slots: &[(usize, Vec<u32>)], tracked: Option<usize>) -> Vec<u32> {
    let mut order: Vec<u32> = (0..slots[0].1.len() as u32).collect();
    if let Some(t) = tracked {
        let other = slots.iter().enumerate().find(|&(k, _)| k != t).map(|(_, s)| &s.1);
        order.sort_by_key(|&i| (slots[t].1[i as usize], other.map_or(0, |index| index[i as usize])));
    }
    order
}

/// What there is of each item in the order of the tracks; without tracks it has that order.
fn sorted<T: Copy>(items: Vec<T>, order: &[u32], tracked: bool) -> Vec<T> {
    if tracked { order.iter().map(|&i| items[i as usize]).collect() } else { items }
}

fn starts(index: &[u32], n: usize) -> Vec<u32> {
    let mut starts = vec![0; n + 1];
    index.iter().for_each(|&v| starts[v as usize + 1] += 1);
    (0..n).for_each(|v| starts[v + 1] += starts[v]);
    starts
}
