//! Small nodes and products of them, a few columns at a time with their sums in registers. A node of a pose graph has
//! three to thirty columns: blocked kernels take longer to set up than it takes to do the work.

use pulp::{Simd, WithSimd};

use crate::linear::vector::scalar_ma as fma;
use crate::tape::{Level, has_fma};

/// Columns whose sums are formed together, and rows of them.
const FEW: usize = 4;
const LONG: usize = 8;

/// The columns of a node.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    pub numbers: &'a [f64],
    pub height: usize,
    pub width: usize,
}

/// Subtracts A A_m' from m columns of `into` that are `stride` numbers apart, where A are the rows of a node from `row` on
/// and A_m the first m of them; of each column only what is below the diagonal has a meaning.
pub(super) fn subtract(level: Level, node: Columns, row: usize, m: usize, into: &mut [f64], stride: usize) {
    level.run(Product { node, row, m, into, stride });
}

/// Replaces the lower triangle of the first `width` rows by its factor L, and the rows below, B, by B L^-T. Otherwise
/// the column whose pivot is not positive.
pub(super) fn factorize(level: Level, values: &mut [f64], height: usize, width: usize) -> Result<(), usize> {
    level.run(Factor { values, height, width })
}

struct Factor<'a> {
    values: &'a mut [f64],
    height: usize,
    width: usize,
}

impl WithSimd for Factor<'_> {
    type Output = Result<(), usize>;
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        if has_fma::<S>() { self.all::<true>() } else { self.all::<false>() }
    }
}

impl Factor<'_> {
    #[inline(always)]
    fn all<const F: bool>(self) -> Result<(), usize> {
        let Factor { values, height, width } = self;
        for at in (0..width).step_by(FEW) {
            let m = FEW.min(width - at);
            let (done, rest) = values.split_at_mut(at * height);
            let node = Columns { numbers: done, height, width: at };
            Product { node, row: at, m, into: &mut rest[at..], stride: height }.all::<F>();
            for j in 0..m {
                let (own, after) = rest[j * height..].split_at_mut(height);
                let own = &mut own[at + j..];
                let pivot = own[0].sqrt();
                if pivot.is_nan() || pivot <= 0.0 {
                    return Err(at + j);
                }
                let inverse = 1.0 / pivot;
                own.iter_mut().for_each(|x| *x *= inverse);
                for k in 1..m - j {
                    let other = &mut after[(k - 1) * height + at + j + k..][..own.len() - k];
                    let factor = -own[k];
                    for (x, &y) in other.iter_mut().zip(&own[k..]) {
                        *x = fma::<F>(factor, y, *x);
                    }
                }
            }
        }
        Ok(())
    }
}

struct Product<'a> {
    node: Columns<'a>,
    row: usize,
    m: usize,
    into: &'a mut [f64],
    stride: usize,
}

impl WithSimd for Product<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        if has_fma::<S>() { self.all::<true>() } else { self.all::<false>() }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn all<const F: bool>(mut self) {
        if self.node.width == 0 {
            return;
        }
        let last = self.m / FEW * FEW;
        for c in (0..last).step_by(FEW) {
            self.columns::<F, FEW>(c);
        }
        match self.m - last {
            3 => self.columns::<F, 3>(last),
            2 => self.columns::<F, 2>(last),
            1 => self.columns::<F, 1>(last),
            _ => (),
        }
    }

    /// M columns from c on, in pieces of rows.
    #[inline(always)]
    fn columns<const F: bool, const M: usize>(&mut self, c: usize) {
        let (mut r, end) = (c, self.node.height - self.row);
        while r + LONG <= end {
            self.piece::<F, M, LONG>(c, r);
            r += LONG;
        }
        if r + 4 <= end {
            self.piece::<F, M, 4>(c, r);
            r += 4;
        }
        while r < end {
            self.piece::<F, M, 1>(c, r);
            r += 1;
        }
    }

    #[inline(always)]
    fn piece<const F: bool, const M: usize, const N: usize>(&mut self, c: usize, r: usize) {
        let mut sums = [[0.0; N]; M];
        for column in self.node.numbers.chunks_exact(self.node.height) {
            let (rows, factors) = (&column[self.row + r..][..N], &column[self.row + c..][..M]);
            for j in 0..M {
                for i in 0..N {
                    sums[j][i] = fma::<F>(factors[j], rows[i], sums[j][i]);
                }
            }
        }
        for (j, sums) in sums.iter().enumerate() {
            let into = &mut self.into[(c + j) * self.stride + r..][..N];
            for i in 0..N {
                into[i] -= sums[i];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A A' + I, column after column, and below it rows B.
    fn node(height: usize, width: usize) -> Vec<f64> {
        let number = |i: usize, j: usize| ((7 * i + 3 * j) % 11) as f64 / 11.0 - 0.4;
        let entry = |i: usize, j: usize| {
            let product: f64 = (0..width).map(|k| number(i, k) * number(j, k)).sum();
            if i < width { product + f64::from(u8::from(i == j)) } else { number(i, j) }
        };
        (0..width).flat_map(|j| (0..height).map(move |i| entry(i, j))).collect()
    }

    #[test]
    fn the_factor_times_its_transpose_is_the_node() {
        for (height, width) in (1..20).flat_map(|w| [(w, w), (w + 1, w), (w + 13, w)]) {
            let before = node(height, width);
            let mut after = before.clone();
            factorize(Level::best(), &mut after, height, width).unwrap();
            for j in 0..width {
                for i in j..height {
                    let sum: f64 = (0..=j).map(|k| after[k * height + i] * after[k * height + j]).sum();
                    assert!((sum - before[j * height + i]).abs() < 1e-13, "{height} x {width}: {i}, {j}");
                }
            }
        }
    }

    #[test]
    fn products_are_subtracted_below_the_diagonal() {
        for (height, width, row) in [(3, 3, 0), (12, 3, 3), (17, 6, 6), (30, 9, 11)] {
            let numbers = node(height, width);
            for m in 1..=height - row {
                let stride = height - row + 2;
                let mut into = vec![1.0; m * stride];
                subtract(
                    Level::best(),
                    Columns { numbers: &numbers, height, width },
                    row,
                    m,
                    &mut into,
                    stride,
                );
                for j in 0..m {
                    for i in j..height - row {
                        let at = |k: usize, i: usize| numbers[k * height + row + i];
                        let sum: f64 = (0..width).map(|k| at(k, i) * at(k, j)).sum();
                        assert!((into[j * stride + i] - 1.0 + sum).abs() < 1e-13, "{height}, {m}: {i}, {j}");
                    }
                    assert_eq!(into[j * stride + height - row..][..2], [1.0; 2]);
                }
            }
        }
    }

    #[test]
    fn a_pivot_that_is_not_positive_is_told() {
        let mut values = node(9, 6);
        values[4 * 9 + 4] = -1.0;
        assert_eq!(factorize(Level::best(), &mut values, 9, 6), Err(4));
        let mut values = node(9, 6);
        values[2 * 9 + 2] = f64::NAN;
        assert_eq!(factorize(Level::best(), &mut values, 9, 6), Err(2));
    }
}
