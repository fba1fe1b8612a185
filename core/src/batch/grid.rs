//! A separable model on a grid over a group of fits.

use pulp::{Simd, WithSimd};

use super::data::{Data, Table};
use super::machine::{Machine, Points};
use super::plan::Plan;
use super::product::{Parts, ROWS, Sums as ProductSums};
use super::{LaneModel, Row, Size, Sums};
use crate::tape::{Level, POINTS, Real, Tape};

/// Fits whose sums are made at once: a cache line of numbers. The data of so many stay in the first-level cache.
const GROUP: usize = 8;
const WIDTH: usize = f64::WIDTH;
const GROUPS: usize = WIDTH / GROUP;

type Line = [f64; GROUP];

/// A model and its derivatives as sums of products on a grid, made once for all fits.
#[derive(Clone, Debug)]
pub struct Grid {
    plan: Plan,
    coefficients: Tape,
    factors: [Tape; 2],
    columns: [Vec<Vec<f64>>; 2],
}

/// The parts of a grid as they are handed over; `Grid::new` checks them.
#[derive(Debug)]
pub struct GridSpec {
    /// Positions on the two axes: point i * sizes[1] + j is at i on the first and j on the second.
    pub sizes: [usize; 2],
    /// From all parameters.
    pub coefficients: Tape,
    /// From all parameters and the columns of the axis.
    pub factors: [Tape; 2],
    pub columns: [Vec<Vec<f64>>; 2],
    /// The two factors of every product.
    pub products: Vec<[usize; 2]>,
    /// (output, product, coefficient); output 0 is the model, 1 + j its derivative by the j-th free parameter.
    pub terms: Vec<[usize; 3]>,
    pub n_outputs: usize,
}

impl Grid {
    pub fn new(spec: GridSpec) -> Result<Grid, String> {
        let GridSpec { sizes, coefficients, factors, columns, products, terms, n_outputs } = spec;
        if n_outputs == 0 || sizes.contains(&0) || coefficients.n_inputs() != 0 {
            return Err(
                "a grid without points or outputs, or coefficients that are not parameter-only".into()
            );
        }
        let n_factors = [factors[0].n_outputs(), factors[1].n_outputs()];
        for axis in 0..2 {
            let inputs = columns[axis].len() == factors[axis].n_inputs();
            if !inputs || columns[axis].iter().any(|column| column.len() != sizes[axis]) {
                return Err(format!("the columns of axis {axis} are not those of its factors"));
            }
            if n_factors[axis] == 0 || products.iter().any(|product| product[axis] >= n_factors[axis]) {
                return Err(format!("a product has a factor that axis {axis} does not have"));
            }
        }
        let mut outputs = vec![Vec::new(); n_outputs];
        for &[output, product, coefficient] in &terms {
            if output >= n_outputs || product >= products.len() || coefficient >= coefficients.n_outputs() {
                return Err(format!("term ({output}, {product}, {coefficient}) does not exist"));
            }
            outputs[output].push((product, coefficient));
        }
        let one = factors[1].constant_outputs().iter().position(|&value| value == Some(1.0));
        let plan = Plan::new(sizes, n_factors, products, outputs, one);
        Ok(Grid { plan, coefficients, factors, columns })
    }

    pub fn n_params(&self) -> usize {
        self.plan.n_params()
    }

    pub fn n_points(&self) -> usize {
        self.plan.sizes[0] * self.plan.sizes[1]
    }
}

/// A separable model over a group of fits that all have every point of the grid, with the same weight.
pub struct GridLanes<'a> {
    grid: &'a Grid,
    data: &'a Data<'a>,
    held: Vec<usize>,
    /// Square root of the weight.
    weight: f64,
    coefficients: Machine<f64>,
    axes: [Axis; 2],
    groups: Vec<Group>,
    rows: Lines,
    sums: ProductSums,
}

/// One axis: its factors, and which of them change.
struct Axis {
    factors: Machine<f64>,
    n: usize,
    constant: Vec<Option<f64>>,
}

/// What belongs to eight fits: their data, and a line for each position, factor by factor, of both axes.
struct Group {
    y: Lines,
    tables: [Vec<Lines>; 2],
    coefficients: Lines,
}

impl<'a> GridLanes<'a> {
    /// None where the fits are not alike, or the tapes are for other parameters.
    pub fn new(grid: &'a Grid, data: &'a Data<'a>) -> Option<Self> {
        let fits = (grid.n_points(), grid.n_params()) == (data.n_points, data.free.len());
        let weight = match data.weights {
            None => 1.0,
            Some(Table::Shared(w)) if w.iter().all(|x| *x == w[0]) => w[0],
            Some(_) => return None,
        };
        if !fits || data.mask.is_some() || weight <= 0.0 {
            return None;
        }
        let axis = |a: usize| {
            let inputs = grid.columns[a].iter().map(|column| Points::shared(column)).collect();
            let factors = Machine::new(&grid.factors[a], data.values, inputs)?;
            Some(Axis { factors, n: grid.plan.sizes[a], constant: grid.factors[a].constant_outputs() })
        };
        let axes = [axis(0)?, axis(1)?];
        let group = || Group {
            y: Lines::new(data.n_points),
            tables: [axes[0].tables(), axes[1].tables()],
            coefficients: Lines::new(grid.coefficients.n_outputs()),
        };
        Some(GridLanes {
            held: data.held_parameters(),
            weight,
            coefficients: Machine::new(&grid.coefficients, data.values, Vec::new())?,
            groups: (0..GROUPS).map(|_| group()).collect(),
            rows: Lines::new(ROWS * grid.plan.sizes[1]),
            sums: ProductSums::new(&grid.plan),
            axes,
            grid,
            data,
        })
    }
}

impl LaneModel<f64> for GridLanes<'_> {
    fn n_params(&self) -> usize {
        self.data.free.len()
    }

    fn load(&mut self, fit: usize, lane: usize) -> Size {
        let (data, m) = (self.data, self.data.n_points);
        if let Some(held) = data.held {
            for (&j, &value) in self.held.iter().zip(&held[fit * self.held.len()..]) {
                let [first, second] = &mut self.axes;
                for machine in [&mut self.coefficients, &mut first.factors, &mut second.factors] {
                    machine.hold(j, lane, value);
                }
            }
        }
        let mut squares = 0.0;
        for (i, line) in self.groups[lane / GROUP].y.get_mut().iter_mut().enumerate() {
            let y = self.weight * data.y.at(fit * m + i);
            line[lane % GROUP] = y;
            squares += y * y;
        }
        Size { n_points: m, squares }
    }

    fn evaluate(&mut self, level: Level, x: &[Row<f64>], out: &mut Sums<f64>) {
        let Self { grid, data, weight, coefficients, axes, groups, rows, sums, .. } = self;
        coefficients.prepare(level, data.free, x);
        for k in 0..grid.coefficients.n_outputs() {
            let values = coefficients.output(k, 0).0[..WIDTH].as_chunks::<GROUP>().0;
            for (group, values) in groups.iter_mut().zip(values) {
                let line = &mut group.coefficients.get_mut()[k];
                line.iter_mut().zip(values).for_each(|(c, value)| *c = *weight * value);
            }
        }
        for (a, axis) in axes.iter_mut().enumerate() {
            axis.evaluate(level, data.free, x, a, groups);
        }
        level.run(Sum { plan: &grid.plan, groups, rows: rows.get_mut(), sums, out });
    }
}

impl Axis {
    /// Factors that do not change are written here, once.
    fn tables(&self) -> Vec<Lines> {
        let table = |value: &Option<f64>| {
            let mut lines = Lines::new(self.n);
            lines.get_mut().fill([value.unwrap_or(0.0); GROUP]);
            lines
        };
        self.constant.iter().map(table).collect()
    }

    /// The factors at every position into the tables of axis `a` of the groups.
    fn evaluate(&mut self, level: Level, free: &[usize], x: &[Row<f64>], a: usize, groups: &mut [Group]) {
        self.factors.prepare(level, free, x);
        for (b, first) in (0..self.n).step_by(POINTS).enumerate() {
            let points = POINTS.min(self.n - first);
            self.factors.run(level, b, points);
            for (k, constant) in self.constant.iter().enumerate() {
                if constant.is_none() {
                    let values = self.factors.output(k, b).0[..points * WIDTH].as_chunks::<WIDTH>().0;
                    for (g, group) in groups.iter_mut().enumerate() {
                        let lines = &mut group.tables[a][k].get_mut()[first..first + points];
                        for (line, values) in lines.iter_mut().zip(values) {
                            line.copy_from_slice(&values[g * GROUP..][..GROUP]);
                        }
                    }
                }
            }
        }
    }
}

/// Lines that do not straddle two cache lines.
struct Lines {
    numbers: Vec<f64>,
    start: usize,
}

impl Lines {
    fn new(n: usize) -> Lines {
        let numbers = vec![0.0; (n + 1) * GROUP];
        let start = numbers.as_ptr().align_offset(64).min(GROUP);
        Lines { numbers, start }
    }

    #[inline(always)]
    fn get(&self) -> &[Line] {
        &self.numbers[self.start..].as_chunks().0[..self.numbers.len() / GROUP - 1]
    }

    #[inline(always)]
    fn get_mut(&mut self) -> &mut [Line] {
        let n = self.numbers.len() / GROUP - 1;
        &mut self.numbers[self.start..].as_chunks_mut().0[..n]
    }
}

struct Sum<'a> {
    plan: &'a Plan,
    groups: &'a [Group],
    rows: &'a mut [Line],
    sums: &'a mut ProductSums,
    out: &'a mut Sums<f64>,
}

impl WithSimd for Sum<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let Sum { plan, groups, rows, sums, out } = self;
        let (mut u, mut v): (Vec<&[Line]>, Vec<&[Line]>) = (Vec::new(), Vec::new());
        for (g, group) in groups.iter().enumerate() {
            u.clear();
            v.clear();
            u.extend(group.tables[0].iter().map(Lines::get));
            v.extend(group.tables[1].iter().map(Lines::get));
            let parts = Parts { factors: [&u, &v], coefficients: group.coefficients.get() };
            plan.sum::<S>(s, &parts, group.y.get(), rows, sums);
            let lanes = g * GROUP..(g + 1) * GROUP;
            for (cost, rss) in out.cost[lanes.clone()].iter_mut().zip(&sums.rss.0) {
                *cost = 0.5 * rss;
            }
            for (to, from) in out.gradient.iter_mut().zip(&sums.gradient) {
                to[lanes.clone()].copy_from_slice(&from.0);
            }
            for (to, from) in out.normal.iter_mut().zip(&sums.matrix) {
                to[lanes.clone()].copy_from_slice(&from.0);
            }
        }
    }
}
