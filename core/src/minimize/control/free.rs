//! No limit: every step that has a value is taken, uphill too.

use super::{Control, Judged, Start};

pub struct Free;

impl Control for Free {
    fn start(&mut self, _start: &Start) {}

    fn limit(&self) -> f64 {
        f64::INFINITY
    }

    fn set(&mut self, _limit: f64) {}

    fn judge(&mut self, _judged: &Judged) {}

    fn refuse(&mut self, _size: f64) {}

    fn bent(&mut self, _size: f64, _ratio: f64, _allowed: f64) {}

    fn retreats(&self) -> bool {
        false
    }

    fn accepts(&self, _gain: f64, _actual: f64) -> bool {
        true
    }
}
