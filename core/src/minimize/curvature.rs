//! The Hessian by differences, for functions that are called back.

use super::state::{Exit, Loop};

/// Up to so many parameters: it takes n (n + 1) evaluations.
const LIMIT: usize = 8;

impl Loop<'_> {
    /// sum f_i H_i by second differences of the residuals, n (n + 1) evaluations.
    pub fn hessian_by_differences(&mut self) -> Result<bool, Exit> {
        let n = self.here.n();
        if n > LIMIT {
            return Ok(false);
        }
        let h: Vec<f64> = self.scales.magnitude.iter().map(|s| f64::EPSILON.powf(0.25) * s).collect();
        self.hessian.clear();
        self.hessian.resize(n * n, 0.0);
        for j in 0..n {
            for l in 0..=j {
                let mut v = vec![0.0; n];
                v[j] += h[j];
                if l < j {
                    v[l] += h[l];
                }
                self.hessian[j * n + l] = self.bend_along(&v)?;
            }
        }
        for j in 0..n {
            for l in 0..j {
                let (jj, ll) = (self.hessian[j * n + j], self.hessian[l * n + l]);
                let mixed = 0.5 * (self.hessian[j * n + l] - jj - ll) / (h[j] * h[l]);
                (self.hessian[j * n + l], self.hessian[l * n + j]) = (mixed, mixed);
            }
        }
        for j in 0..n {
            self.hessian[j * n + j] /= h[j] * h[j];
        }
        self.problem.subtract_excess(&self.here.x, &self.here.f, &mut self.hessian)?;
        let known = self.hessian.iter().all(|s| s.is_finite());
        self.hessian_known = Some(known);
        Ok(known)
    }

    /// sum f_i (f_i(x + v) - 2 f_i(x) + f_i(x - v)); not finite where a bound is in the way.
    fn bend_along(&mut self, v: &[f64]) -> Result<f64, Exit> {
        let mut sum = 0.0;
        for sign in [1.0, -1.0] {
            self.trial.v = v.iter().map(|v| sign * v).collect();
            self.probe()?;
            let inside = (0..v.len()).all(|j| self.there.x[j] == self.here.x[j] + sign * v[j]);
            let along = self.problem.beside(&self.here.f, &self.there.f)?.along;
            sum += if inside { along } else { f64::NAN };
        }
        Ok(sum)
    }
}
