//! Small triangular and positive definite systems. Matrices are n x n and row-major.

use super::small::dot;

/// Solves U x = b for an upper triangle; `x` holds b before.
pub fn solve(u: &[f64], x: &mut [f64]) {
    let n = x.len();
    for i in (0..n).rev() {
        let rest = dot(&u[i * n + i + 1..(i + 1) * n], &x[i + 1..]);
        x[i] = (x[i] - rest) / u[i * n + i];
    }
}

/// Solves U'x = b for an upper triangle; `x` holds b before.
pub fn solve_transposed(u: &[f64], x: &mut [f64]) {
    let n = x.len();
    for i in 0..n {
        let (head, rest) = x.split_at_mut(i + 1);
        head[i] /= u[i * n + i];
        rest.iter_mut().zip(&u[i * n + i + 1..]).for_each(|(x, u)| *x -= u * head[i]);
    }
}

/// An upper bound of the condition of an upper triangle, within a factor n: |U|_F |U^-1|_F. Not finite where U is
/// singular. `inverse` is made room for U^-1.
pub fn condition(u: &[f64], n: usize, inverse: &mut Vec<f64>) -> f64 {
    inverse.clear();
    inverse.resize(n * n, 0.0);
    for i in (0..n).rev() {
        let (head, below) = inverse.split_at_mut((i + 1) * n);
        let row = &mut head[i * n..];
        for k in i + 1..n {
            let (factor, start) = (u[i * n + k], (k - i - 1) * n);
            row[k..].iter_mut().zip(&below[start + k..start + n]).for_each(|(r, b)| *r -= factor * b);
        }
        row[i] = 1.0;
        let scale = 1.0 / u[i * n + i];
        row[i..].iter_mut().for_each(|r| *r *= scale);
    }
    (dot(u, u) * dot(inverse, inverse)).sqrt()
}

/// A pivot that keeps less than this of its diagonal entry may be rounding error.
const LOST: f64 = 1e-10;

/// Cholesky's factor of a symmetric matrix, upper triangular in its upper triangle: b = U'U. False where the matrix
/// is not positive definite well beyond rounding.
pub fn cholesky(b: &mut [f64], n: usize) -> bool {
    for i in 0..n {
        let pivot = b[i * n + i];
        let lost: f64 = (0..i).map(|k| b[k * n + i] * b[k * n + i]).sum();
        if pivot.is_nan() || pivot <= LOST * (pivot + lost) {
            return false;
        }
        let (head, below) = b.split_at_mut((i + 1) * n);
        let row = &mut head[i * n + i..];
        let scale = 1.0 / pivot.sqrt();
        row.iter_mut().for_each(|r| *r *= scale);
        for j in i + 1..n {
            let factor = row[j - i];
            let start = (j - i - 1) * n;
            below[start + j..start + n].iter_mut().zip(&row[j - i..]).for_each(|(b, r)| *b -= factor * r);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: usize = 5;

    fn triangle() -> Vec<f64> {
        let entry = |i: usize, j: usize| ((3 * i * i + 5 * j) as f64).cos() + if i == j { 2.0 } else { 0.0 };
        (0..N * N).map(|k| if k % N >= k / N { entry(k / N, k % N) } else { 0.0 }).collect()
    }

    #[test]
    fn solutions_satisfy_their_systems() {
        let (u, b) = (triangle(), [1.0, -2.0, 0.5, 3.0, 1.5]);
        let (mut x, mut y) = (b, b);
        solve(&u, &mut x);
        solve_transposed(&u, &mut y);
        for i in 0..N {
            let ux: f64 = (0..N).map(|j| u[i * N + j] * x[j]).sum();
            let uty: f64 = (0..N).map(|j| u[j * N + i] * y[j]).sum();
            assert!((ux - b[i]).abs() < 1e-14 && (uty - b[i]).abs() < 1e-14);
        }
    }

    #[test]
    fn cholesky_finds_the_triangle_again_and_refuses_an_indefinite_matrix() {
        let u = triangle();
        let mut b: Vec<f64> =
            (0..N * N).map(|k| (0..N).map(|i| u[i * N + k / N] * u[i * N + k % N]).sum()).collect();
        assert!(cholesky(&mut b, N));
        for i in 0..N {
            let sign = u[i * N + i].signum();
            assert!((i..N).all(|j| (b[i * N + j] - sign * u[i * N + j]).abs() < 1e-14));
        }
        assert!(!cholesky(&mut [1.0, 2.0, 2.0, 1.0], 2));
    }

    #[test]
    fn the_condition_is_bounded_and_infinite_for_a_singular_triangle() {
        let mut room = Vec::new();
        let found = condition(&[1.0, 0.0, 0.0, 1e-6], 2, &mut room);
        assert!((1e6..2e6).contains(&found));
        assert!(!condition(&[1.0, 1.0, 0.0, 0.0], 2, &mut room).is_finite());
    }
}
