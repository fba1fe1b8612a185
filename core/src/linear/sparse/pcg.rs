//! Preconditioned conjugate gradients, for systems that are too large to factorize.

use crate::linear::blocks::BlockMatrix;
use crate::linear::small::dot;

/// A symmetric positive definite matrix, known by its products.
pub trait Operator {
    /// y = A x.
    fn apply(&self, x: &[f64], y: &mut [f64]);
}

impl Operator for BlockMatrix {
    fn apply(&self, x: &[f64], y: &mut [f64]) {
        self.multiply(x, y);
    }
}

/// Something like the inverse of the matrix, symmetric and positive definite.
pub trait Preconditioner {
    /// z = M^-1 r.
    fn apply(&self, r: &[f64], z: &mut [f64]);
}

/// The residual follows a recurrence; every so many steps it is computed afresh, so that rounding does not grow.
const AFRESH: usize = 10;

/// Solves A x = b roughly, from zero, and says in how many steps: until i (Q_i - Q_{i-1}) / Q_i < eta, where
/// Q = x'Ax / 2 - b'x is what a step of the minimizer gains (Nash & Sofer 1990), or after `max_steps`. Stops early, with
/// what it has, where the matrix turns out not to be positive definite.
pub fn pcg(
    a: &(impl Operator + ?Sized),
    m: &(impl Preconditioner + ?Sized),
    rhs: &[f64],
    eta: f64,
    max_steps: usize,
) -> (Vec<f64>, usize) {
    let n = rhs.len();
    let (mut x, mut r, mut p) = (vec![0.0; n], rhs.to_vec(), vec![0.0; n]);
    let (mut z, mut ap) = (vec![0.0; n], vec![0.0; n]);
    let (mut rho, mut q) = (1.0, 0.0);
    for step in 1..=max_steps {
        m.apply(&r, &mut z);
        let last = std::mem::replace(&mut rho, dot(&r, &z));
        if rho == 0.0 || !rho.is_finite() {
            return (x, step - 1);
        }
        let beta = if step == 1 { 0.0 } else { rho / last };
        p.iter_mut().zip(&z).for_each(|(p, z)| *p = z + beta * *p);
        a.apply(&p, &mut ap);
        let curvature = dot(&p, &ap);
        if curvature <= 0.0 || !curvature.is_finite() {
            return (x, step - 1);
        }
        let alpha = rho / curvature;
        x.iter_mut().zip(&p).for_each(|(x, p)| *x += alpha * p);
        if step % AFRESH == 0 {
            a.apply(&x, &mut ap);
            r.iter_mut().zip(rhs).zip(&ap).for_each(|((r, b), ax)| *r = b - ax);
        } else {
            r.iter_mut().zip(&ap).for_each(|(r, ap)| *r -= alpha * ap);
        }
        // x'Ax = x'(b - r)
        let now = -0.5 * (dot(&x, rhs) + dot(&x, &r));
        let before = std::mem::replace(&mut q, now);
        if step as f64 * (now - before) / now < eta {
            return (x, step);
        }
    }
    (x, max_steps)
}
