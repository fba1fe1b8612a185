//! Sums over the positions on an axis of a grid, for all fits of a group at once.
//!
//! Explicit vectors: the compiler's own left half of these loops scalar, at ten times the price.

use pulp::Simd;

use super::line::{Own, load, store, vectors};
use crate::tape::Real;

/// Rows of points summed at a time at most.
pub(crate) const ROWS: usize = 4;

/// sum_i a[i] b[i] of every pair, i < n. (Loops, not `map`: a closure that is not inlined would run without the
/// instruction set of its caller.)
#[inline(always)]
fn dots<S: Simd, T: Real, const A: usize, const B: usize>(
    s: S,
    mut a: [&[T::Line]; A],
    mut b: [&[T::Line]; B],
    n: usize,
) -> [[T::Line; B]; A] {
    for a in &mut a {
        *a = &a[..n];
    }
    for b in &mut b {
        *b = &b[..n];
    }
    let mut out = [[T::ZERO_LINE; B]; A];
    for part in 0..vectors::<S, T>() {
        let mut sums = [[T::splat(s, T::default()); B]; A];
        for i in 0..n {
            for k in 0..A {
                for l in 0..B {
                    let (x, y) = (load::<S, T>(&a[k][i], part), load::<S, T>(&b[l][i], part));
                    sums[k][l] = T::ma(s, x, y, sums[k][l]);
                }
            }
        }
        for k in 0..A {
            for l in 0..B {
                store::<S, T>(&mut out[k][l], part, sums[k][l]);
            }
        }
    }
    out
}

/// out[k] = sums over n positions of each of the rows times factor v_k.
#[inline(always)]
pub(crate) fn contract<S: Simd, T: Real, const A: usize>(
    s: S,
    rows: [&[T::Line]; A],
    v: &[&[T::Line]],
    n: usize,
    out: &mut [[Own<T>; ROWS]],
) {
    let mut k = 0;
    while k + 4 <= v.len() {
        let sums = dots::<S, T, A, 4>(s, rows, [v[k], v[k + 1], v[k + 2], v[k + 3]], n);
        for i in 0..A {
            for l in 0..4 {
                out[k + l][i] = Own(sums[i][l]);
            }
        }
        k += 4;
    }
    while k + 2 <= v.len() {
        let sums = dots::<S, T, A, 2>(s, rows, [v[k], v[k + 1]], n);
        for i in 0..A {
            for l in 0..2 {
                out[k + l][i] = Own(sums[i][l]);
            }
        }
        k += 2;
    }
    if k < v.len() {
        let sums = dots::<S, T, A, 1>(s, rows, [v[k]], n);
        for i in 0..A {
            out[k][i] = Own(sums[i][0]);
        }
    }
}

/// All sums of the products of two factors of one axis of n positions: out[k * u.len() + l] for l <= k (and others).
#[inline(always)]
pub(crate) fn gram<S: Simd, T: Real>(s: S, u: &[&[T::Line]], n: usize, out: &mut [Own<T>]) {
    let size = u.len();
    for k in (0..size).step_by(2) {
        let next = (k + 1).min(size - 1);
        for l in (0..=next).step_by(4) {
            let columns = [l, (l + 1).min(next), (l + 2).min(next), (l + 3).min(next)];
            let [a, b, c, d] = columns;
            let sums = dots::<S, T, 2, 4>(s, [u[k], u[next]], [u[a], u[b], u[c], u[d]], n);
            for j in 0..4 {
                out[k * size + columns[j]] = Own(sums[0][j]);
                out[next * size + columns[j]] = Own(sums[1][j]);
            }
        }
    }
}
