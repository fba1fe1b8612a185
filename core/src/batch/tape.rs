//! A model and its derivatives by a tape, point by point.

use super::data::{Data, Numbers, Table};
use super::machine::{Machine, Points};
use super::normal::{Block, accumulate};
use super::{LaneModel, Row, Size, Sums};
use crate::likelihood::Family;
use crate::tape::{Level, POINTS, Real, Tape};

/// A tape with the outputs model, derivative by each free parameter, over a group of fits.
pub struct TapeLanes<'a, T: Real> {
    data: &'a Data<'a>,
    machine: Machine<T>,
    y: Points<T>,
    weights: Option<Points<T>>,
    block: Block<T>,
    held: Vec<usize>,
}

impl<'a, T: Real> TapeLanes<'a, T> {
    /// `tape` takes all parameters of the model and the columns of `data`; None where it has branches.
    pub fn new(tape: &Tape, data: &'a Data<'a>) -> Option<Self> {
        let p = data.free.len();
        if tape.n_outputs() != p + 1 {
            return None;
        }
        let inputs = data.columns.iter().map(|column| match column {
            Table::Shared(values) => Points::shared(values),
            Table::Own(_) => Points::new(data.n_points),
        });
        let machine = Machine::new(tape, data.values, inputs.collect())?;
        let weighted = data.weights.is_some() || data.mask.is_some();
        let mut weights = weighted.then(|| Points::new(data.n_points));
        if let (Some(points), Some(Table::Shared(w)), None) = (&mut weights, &data.weights, &data.mask) {
            *points = Points::shared(w);
        }
        Some(TapeLanes {
            machine,
            y: Points::new(data.n_points),
            weights,
            block: Block::new(p),
            held: data.held_parameters(),
            data,
        })
    }
}

impl<T: Real> LaneModel<T> for TapeLanes<'_, T> {
    fn family(&self) -> Option<Family> {
        self.data.family
    }

    fn load(&mut self, fit: usize, lane: usize) -> Size {
        let (data, m) = (self.data, self.data.n_points);
        for (points, column) in self.machine.inputs.iter_mut().zip(&data.columns) {
            if let Table::Own(_) = column {
                column.of(fit, m).iter().enumerate().for_each(|(i, &x)| points.set(i, lane, x));
            }
        }
        if let Some(held) = data.held {
            let own = &held[fit * self.held.len()..];
            for (&j, &value) in self.held.iter().zip(own) {
                self.machine.hold(j, lane, value);
            }
        }
        let mut size = Size { n_points: m, squares: 0.0 };
        let Some(weights) = &mut self.weights else {
            match data.y {
                Numbers::Double(y) => size.squares = self.y.fill(lane, &y[fit * m..][..m]),
                Numbers::Single(y) => size.squares = self.y.fill(lane, &y[fit * m..][..m]),
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

    fn evaluate(&mut self, level: Level, x: &[Row<T>], out: &mut Sums<T>) {
        let family = self.data.family;
        let Self { machine, block, .. } = self;
        machine.prepare(level, self.data.free, x);
        for b in 0..self.y.n_blocks() {
            let points = POINTS.min(self.data.n_points - b * POINTS);
            machine.run(level, b, points);
            let weights = self.weights.as_ref().map(|w| w.block(b));
            accumulate(
                level,
                block,
                |k| machine.output(k, b),
                self.y.block(b),
                weights,
                family,
                points,
                b == 0,
                out,
            );
        }
    }
}
