//! A part of the Cauchy step, halved until the cost falls; whole again at the next point.

use super::{Control, Judged, Start};

pub struct Backtracking {
    part: f64,
}

impl Default for Backtracking {
    fn default() -> Self {
        Backtracking { part: 1.0 }
    }
}

impl Control for Backtracking {
    fn start(&mut self, _start: &Start) {
        self.part = 1.0;
    }

    fn limit(&self) -> f64 {
        self.part
    }

    fn set(&mut self, limit: f64) {
        self.part = limit;
    }

    fn judge(&mut self, j: &Judged) {
        self.part = if self.accepts(j.gain, j.actual) { 1.0 } else { 0.5 * self.part };
    }

    fn refuse(&mut self, _size: f64) {
        self.part *= 0.25;
    }

    fn bent(&mut self, _size: f64, _ratio: f64, _allowed: f64) {}
}
