//! Parameter scaling D.

use super::options::Scaling;
use super::point::Point;
use crate::linear::small::norm;

/// Running maxima from which D is made; all choices but `Identity` are invariant to the units of parameters and data.
#[derive(Clone, Debug, Default)]
pub struct Scales {
    pub d: Vec<f64>,
    /// Running maximum of |x_j|; a substitute where the start is 0.
    pub magnitude: Vec<f64>,
    /// The magnitudes at the start.
    pub first: Vec<f64>,
    columns: Vec<f64>,
    f0: f64,
}

impl Scales {
    pub fn start(p: &Point, lower: &[f64], upper: &[f64]) -> Self {
        let n = p.n();
        let (explained, f0) = (norm(&p.shifted(None)), p.size());
        // At a stationary start only rounding errors are explained.
        let change = if explained > 1e3 * f64::EPSILON * f0 { explained } else { f0 };
        let substitute = |j: usize| {
            let width = upper[j] - lower[j];
            let guess = if p.norms[j] > 0.0 { change / p.norms[j] } else { width };
            if guess > 0.0 && guess.is_finite() { guess } else { 1.0 }
        };
        let magnitude: Vec<f64> =
            (0..n).map(|j| if p.x[j] != 0.0 { p.x[j].abs() } else { substitute(j) }).collect();
        Scales { d: vec![1.0; n], first: magnitude.clone(), magnitude, columns: p.norms.clone(), f0 }
    }

    pub fn follow(&mut self, p: &Point, scaling: Scaling) {
        for j in 0..p.n() {
            self.magnitude[j] = self.magnitude[j].max(p.x[j].abs());
            self.columns[j] = self.columns[j].max(p.norms[j]);
            let (largest, beside) = (self.columns[j], 0.1 * self.f0 / self.magnitude[j]);
            self.d[j] = match scaling {
                Scaling::Magnitude => 1.0 / self.magnitude[j],
                Scaling::Mix => (largest * largest + beside * beside).sqrt(),
                Scaling::RunningMax if largest > 0.0 => largest,
                Scaling::Columns if p.norms[j] > 0.0 => p.norms[j],
                Scaling::RunningMax | Scaling::Columns if beside > 0.0 => beside, // no column to go by
                _ => 1.0,
            };
        }
    }
}
