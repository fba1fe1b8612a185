//! A trust region |D v| <= radius, by the rules of Moré (1978).

use super::{Control, Judged, Start};

pub struct Radius {
    factor: f64,
    radius: f64,
}

impl Radius {
    pub fn new(factor: f64) -> Self {
        Radius { factor, radius: 0.0 }
    }
}

impl Control for Radius {
    fn start(&mut self, start: &Start) {
        self.radius = self.factor * start.reach;
    }

    fn limit(&self) -> f64 {
        self.radius
    }

    fn set(&mut self, limit: f64) {
        self.radius = limit;
    }

    fn tried_first(&mut self, size: f64) {
        self.radius = self.radius.min(size);
    }

    fn judge(&mut self, j: &Judged) {
        if j.gain <= 0.25 {
            let much_worse = j.actual < -99.0 * j.live; // |f1| >= 10 |f|
            let part = if j.actual < 0.0 { -j.slope / (-2.0 * j.slope - j.actual) } else { 0.5 };
            let shrink = if much_worse || part < 0.1 { 0.1 } else { part };
            self.radius = shrink * self.radius.min(10.0 * j.size);
        } else if j.gain >= 0.75 || j.damping == 0.0 {
            self.radius = 2.0 * j.size;
        }
    }

    fn refuse(&mut self, size: f64) {
        self.radius = 0.25 * size.min(self.radius);
    }

    fn bent(&mut self, size: f64, ratio: f64, allowed: f64) {
        self.radius = self.radius.min(size) * (allowed / ratio).clamp(0.1, 0.5);
    }

    fn radius(&self) -> f64 {
        self.radius
    }
}
