//! Nielsen (1999): the damping follows the gain ratio smoothly downwards, and ever faster upwards.

use super::{CLIFF, Control, Judged, LEAST, Start};

/// damping * max(1/3, 1 - (2 gain - 1)^3) after a step, damping * 2, 4, 8, ... while refused.
#[derive(Default)]
pub struct Nielsen {
    damping: f64,
    growth: f64,
    least: f64,
}

impl Control for Nielsen {
    fn start(&mut self, start: &Start) {
        (self.damping, self.growth, self.least) = (1e-3 * start.diagonal, 2.0, LEAST * start.diagonal);
    }

    fn limit(&self) -> f64 {
        self.damping
    }

    fn set(&mut self, limit: f64) {
        self.damping = limit;
    }

    fn judge(&mut self, j: &Judged) {
        if self.accepts(j.gain, j.actual) {
            let shrink = (1.0 - (2.0 * j.gain - 1.0).powi(3)).max(1.0 / 3.0);
            (self.damping, self.growth) = ((shrink * self.damping).max(self.least), 2.0);
        } else {
            (self.damping, self.growth) = (self.growth * self.damping, 2.0 * self.growth);
        }
    }

    fn refuse(&mut self, _size: f64) {
        self.damping *= CLIFF.max(self.growth);
    }

    fn bent(&mut self, _size: f64, _ratio: f64, _allowed: f64) {
        (self.damping, self.growth) = (self.growth * self.damping, 2.0 * self.growth);
    }
}
