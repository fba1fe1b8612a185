//! The record of a minimization: what was tried at each Jacobian, and what became of it.
//!
//! Only what is at hand is copied (about 20 ns a step); cosines, conditions and the curve of all damped steps are worked
//! out from the factors when somebody looks.

use super::outcome::Row;
use super::point::Point;

/// Numbers kept at most (8 MB): a longer search is recorded up to here.
const ROOM: usize = 1_000_000;

#[derive(Clone, Debug, Default)]
pub struct Trace {
    pub rows: Vec<Row>,
    /// Parameters of each trial, n per row.
    pub trials: Vec<f64>,
    /// At each Jacobian: x (n), the triangular factor of [J f] ((n+1)^2), D (n).
    pub points: Vec<f64>,
    pub factors: Vec<f64>,
    pub scales: Vec<f64>,
    /// Jacobians recorded.
    pub jacobians: usize,
    /// Steps beyond the room.
    pub dropped: usize,
    pub enabled: bool,
}

impl Trace {
    pub fn new(enabled: bool) -> Self {
        Trace { enabled, ..Trace::default() }
    }

    fn is_full(&self) -> bool {
        let rows = 16 * self.rows.len() + self.trials.len();
        rows + self.points.len() + self.factors.len() + self.scales.len() > ROOM
    }

    /// A new Jacobian, at `point`.
    pub fn arrive(&mut self, point: &Point, d: &[f64]) {
        if !self.enabled || self.is_full() {
            return;
        }
        self.points.extend_from_slice(&point.x);
        self.factors.extend_from_slice(&point.linearization.factor);
        self.scales.extend_from_slice(d);
        self.jacobians += 1;
    }

    /// A trial at the last Jacobian, with the parameters tried.
    pub fn push(&mut self, row: &Row, x: impl Iterator<Item = f64>) {
        if !self.enabled {
            return;
        }
        if self.is_full() {
            self.dropped += 1;
            return;
        }
        self.trials.extend(x);
        self.rows.push(*row);
    }
}
