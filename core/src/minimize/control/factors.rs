//! The damping multiplied by one constant when a step is refused, divided by another when it is taken.

use super::{CLIFF, Control, Judged, LEAST, Start};

pub struct Factors {
    first: f64,
    up: f64,
    down: f64,
    damping: f64,
    least: f64,
}

impl Factors {
    /// Marquardt (1963): a factor of ten both ways.
    pub const CLASSIC: Factors = Factors { first: 1e-2, up: 10.0, down: 10.0, damping: 0.0, least: 0.0 };
    /// Delayed gratification (Transtrum, Sethna 2012): up in small steps, so that a valley is not left too early.
    pub const DELAYED: Factors = Factors { first: 1e-3, up: 2.0, down: 5.0, damping: 0.0, least: 0.0 };
}

impl Control for Factors {
    fn start(&mut self, start: &Start) {
        (self.damping, self.least) = (self.first * start.diagonal, LEAST * start.diagonal);
    }

    fn limit(&self) -> f64 {
        self.damping
    }

    fn set(&mut self, limit: f64) {
        self.damping = limit;
    }

    fn judge(&mut self, j: &Judged) {
        if self.accepts(j.gain, j.actual) {
            self.damping = (self.damping / self.down).max(self.least);
        } else {
            self.damping *= self.up;
        }
    }

    fn refuse(&mut self, _size: f64) {
        self.damping *= CLIFF.max(self.up);
    }

    fn bent(&mut self, _size: f64, _ratio: f64, _allowed: f64) {
        self.damping *= self.up;
    }
}
