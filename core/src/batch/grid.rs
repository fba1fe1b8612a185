//! A separable model on a grid over a group of fits.

use pulp::{Simd, WithSimd};

use super::data::{Data, Table};
use super::machine::{Machine, Points};
use super::plan::Plan;
use super::product::{Parts, ROWS, Sums as ProductSums};
use super::{LaneModel, Row, Size, Sums};
use crate::tape::{Level, POINTS, Real, Tape};

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
pub struct GridLanes<'a, T: Real> {
    grid: &'a Grid,
    data: &'a Data<'a>,
    held: Vec<usize>,
    /// Square root of the weight.
    weight: f64,
    coefficients: Machine<T>,
    axes: [Axis<T>; 2],
    groups: Vec<Group<T>>,
    rows: Lines<T>,
    sums: ProductSums<T>,
}

/// One axis: its factors, and which of them change.
struct Axis<T: Real> {
    factors: Machine<T>,
    n: usize,
    constant: Vec<Option<f64>>,
}

/// What belongs to the fits of a cache line, whose sums are made at once, since the data of so many stay in the first-level
/// cache: their data, and a line for each position, factor by factor, of both axes.
struct Group<T: Real> {
    y: Lines<T>,
    tables: [Vec<Lines<T>>; 2],
    coefficients: Lines<T>,
}

impl<'a, T: Real> GridLanes<'a, T> {
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
            groups: (0..T::WIDTH / T::LINE).map(|_| group()).collect(),
            rows: Lines::new(ROWS * grid.plan.sizes[1]),
            sums: ProductSums::new(&grid.plan),
            axes,
            grid,
            data,
        })
    }
}

impl<T: Real> LaneModel<T> for GridLanes<'_, T> {
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
        let lines = self.groups[lane / T::LINE].y.get_mut();
        let mut sums = [0.0; POINTS]; // no addition waits for the one before
        for (first, lines) in (0..m).step_by(POINTS).zip(lines.chunks_mut(POINTS)) {
            for (i, (line, sum)) in lines.iter_mut().zip(&mut sums).enumerate() {
                let y = self.weight * data.y.at(fit * m + first + i);
                line.as_mut()[lane % T::LINE] = T::of(y);
                *sum += y * y;
            }
        }
        let squares = sums.iter().sum();
        Size { n_points: m, squares }
    }

    fn evaluate(&mut self, level: Level, x: &[Row<T>], out: &mut Sums<T>) {
        let Self { grid, data, weight, coefficients, axes, groups, rows, sums, .. } = self;
        coefficients.prepare(level, data.free, x);
        for k in 0..grid.coefficients.n_outputs() {
            let (values, weight) =
                (T::lines(&coefficients.output(k, 0).as_ref()[..T::WIDTH]), T::of(*weight));
            for (group, values) in groups.iter_mut().zip(values) {
                let line = group.coefficients.get_mut()[k].as_mut();
                line.iter_mut().zip(values.as_ref()).for_each(|(c, &value)| *c = weight * value);
            }
        }
        for (a, axis) in axes.iter_mut().enumerate() {
            axis.evaluate(level, data.free, x, a, groups);
        }
        level.run(Sum::<T> { plan: &grid.plan, groups, rows: rows.get_mut(), sums, out });
    }
}

impl<T: Real> Axis<T> {
    /// Factors that do not change are written here, once.
    fn tables(&self) -> Vec<Lines<T>> {
        let table = |value: &Option<f64>| {
            let mut lines = Lines::<T>::new(self.n);
            let value = T::of(value.unwrap_or(0.0));
            lines.get_mut().iter_mut().for_each(|line| line.as_mut().fill(value));
            lines
        };
        self.constant.iter().map(table).collect()
    }

    /// The factors at every position into the tables of axis `a` of the groups.
    fn evaluate(&mut self, level: Level, free: &[usize], x: &[Row<T>], a: usize, groups: &mut [Group<T>]) {
        self.factors.prepare(level, free, x);
        for (b, first) in (0..self.n).step_by(POINTS).enumerate() {
            let points = POINTS.min(self.n - first);
            self.factors.run(level, b, points);
            for (k, constant) in self.constant.iter().enumerate() {
                if constant.is_none() {
                    let values = &self.factors.output(k, b).as_ref()[..points * T::WIDTH];
                    for (g, group) in groups.iter_mut().enumerate() {
                        let lines = &mut group.tables[a][k].get_mut()[first..first + points];
                        for (line, values) in lines.iter_mut().zip(values.chunks_exact(T::WIDTH)) {
                            *line = T::lines(values)[g];
                        }
                    }
                }
            }
        }
    }
}

/// Lines that do not straddle two cache lines.
struct Lines<T> {
    numbers: Vec<T>,
    start: usize,
}

impl<T: Real> Lines<T> {
    fn new(n: usize) -> Self {
        let numbers = vec![T::default(); (n + 1) * T::LINE];
        let start = numbers.as_ptr().align_offset(64).min(T::LINE);
        Lines { numbers, start }
    }

    #[inline(always)]
    fn get(&self) -> &[T::Line] {
        &T::lines(&self.numbers[self.start..])[..self.numbers.len() / T::LINE - 1]
    }

    #[inline(always)]
    fn get_mut(&mut self) -> &mut [T::Line] {
        let n = self.numbers.len() / T::LINE - 1;
        &mut T::lines_mut(&mut self.numbers[self.start..])[..n]
    }
}

struct Sum<'a, T: Real> {
    plan: &'a Plan,
    groups: &'a [Group<T>],
    rows: &'a mut [T::Line],
    sums: &'a mut ProductSums<T>,
    out: &'a mut Sums<T>,
}

impl<T: Real> WithSimd for Sum<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let Sum { plan, groups, rows, sums, out } = self;
        let mut u: Vec<&[T::Line]> = Vec::new();
        let mut v = u.clone();
        for (g, group) in groups.iter().enumerate() {
            u.clear();
            v.clear();
            u.extend(group.tables[0].iter().map(Lines::get));
            v.extend(group.tables[1].iter().map(Lines::get));
            let parts = Parts::<T> { factors: [&u, &v], coefficients: group.coefficients.get() };
            plan.sum::<S, T>(s, &parts, group.y.get(), rows, sums);
            let lanes = g * T::LINE..(g + 1) * T::LINE;
            for (cost, &rss) in out.cost[lanes.clone()].iter_mut().zip(sums.rss.0.as_ref()) {
                *cost = T::of(0.5) * rss;
            }
            for (to, from) in out.gradient.iter_mut().zip(&sums.gradient) {
                to[lanes.clone()].copy_from_slice(from.0.as_ref());
            }
            for (to, from) in out.normal.iter_mut().zip(&sums.matrix) {
                to[lanes.clone()].copy_from_slice(from.0.as_ref());
            }
        }
    }
}
