//! One right-hand side: passes over the columns of a node, four at a time, at the speed of memory.

use pulp::{Simd, WithSimd};

use crate::linear::vector::{dots, subtract};
use crate::tape::{Level, has_fma};

/// Columns that are passed over together.
const FEW: usize = 4;

/// Replaces the first `width` numbers of y by L^-1 of them, and subtracts from the others what the rows below say.
pub(super) fn forward(level: Level, node: &[f64], height: usize, width: usize, y: &mut [f64]) {
    level.run(Pass::<true> { node, height, width, y });
}

/// Replaces the first `width` numbers of y by those that solve L' x = y less the rows below times the others.
pub(super) fn backward(level: Level, node: &[f64], height: usize, width: usize, y: &mut [f64]) {
    level.run(Pass::<false> { node, height, width, y });
}

struct Pass<'a, const FORWARD: bool> {
    node: &'a [f64],
    height: usize,
    width: usize,
    y: &'a mut [f64],
}

impl<const FORWARD: bool> WithSimd for Pass<'_, FORWARD> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        match has_fma::<S>() {
            true => self.all::<S, true>(s),
            false => self.all::<pulp::Scalar128b, false>(pulp::Scalar128b),
        }
    }
}

impl<const FORWARD: bool> Pass<'_, FORWARD> {
    #[inline(always)]
    fn all<S: Simd, const F: bool>(mut self, s: S) {
        let full = self.width / FEW;
        let ahead = |k| if FORWARD { k } else { full - 1 - k };
        if !FORWARD {
            self.last::<S, F>(s, full * FEW, self.width % FEW);
        }
        (0..full).for_each(|k| self.few::<S, F, FEW>(s, ahead(k) * FEW));
        if FORWARD {
            self.last::<S, F>(s, full * FEW, self.width % FEW);
        }
    }

    #[inline(always)]
    fn last<S: Simd, const F: bool>(&mut self, s: S, at: usize, n: usize) {
        match n {
            1 => self.few::<S, F, 1>(s, at),
            2 => self.few::<S, F, 2>(s, at),
            3 => self.few::<S, F, 3>(s, at),
            _ => (),
        }
    }

    #[inline(always)]
    fn few<S: Simd, const F: bool, const N: usize>(&mut self, s: S, at: usize) {
        if FORWARD { self.down::<S, F, N>(s, at) } else { self.up::<S, F, N>(s, at) }
    }

    // Divisions ahead of the chain in which each number waits for those before it.
    #[inline(always)]
    fn down<S: Simd, const F: bool, const N: usize>(&mut self, s: S, at: usize) {
        let l = |r: usize, c: usize| self.node[(at + c) * self.height + at + r];
        let inverse: [f64; N] = std::array::from_fn(|r| 1.0 / l(r, r));
        let mut x = [[0.0]; N];
        for r in 0..N {
            let known: f64 = (0..r).map(|c| l(r, c) * x[c][0]).sum();
            x[r][0] = (self.y[at + r] - known) * inverse[r];
        }
        (0..N).for_each(|r| self.y[at + r] = x[r][0]);
        let columns = columns::<N>(self.node, self.height, at);
        subtract::<S, F, N, 1>(s, columns, x, [&mut self.y[at + N..]]);
    }

    #[inline(always)]
    fn up<S: Simd, const F: bool, const N: usize>(&mut self, s: S, at: usize) {
        let l = |r: usize, c: usize| self.node[(at + c) * self.height + at + r];
        let inverse: [f64; N] = std::array::from_fn(|r| 1.0 / l(r, r));
        let sums = dots::<S, F, N, 1>(s, columns::<N>(self.node, self.height, at), [&self.y[at + N..]]);
        let mut x = [0.0; N];
        for r in (0..N).rev() {
            let known: f64 = (r + 1..N).map(|k| l(k, r) * x[k]).sum();
            x[r] = (self.y[at + r] - sums[r][0] - known) * inverse[r];
        }
        self.y[at..at + N].copy_from_slice(&x);
    }
}

/// The columns from `at` on, below their triangle.
#[inline(always)]
fn columns<const N: usize>(node: &[f64], height: usize, at: usize) -> [&[f64]; N] {
    std::array::from_fn(|k| &node[(at + k) * height + at + N..(at + k + 1) * height])
}
