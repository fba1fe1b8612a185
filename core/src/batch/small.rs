//! Dense algebra of a few parameters, for the fits of a vector at once.

use pulp::Simd;

use super::wide::{Mask, Part, Wide};
use crate::tape::Real;

/// Rows and columns of numbers for each lane; of symmetric ones the lower triangle.
pub(super) type Matrix<S, T, const N: usize> = [[Wide<S, T>; N]; N];

/// L D L' of symmetric matrices: L below its diagonal of ones, and D^-1.
pub(super) struct Factor<S: Simd, T: Real, const N: usize> {
    pub lower: Matrix<S, T, N>,
    inverse: [Wide<S, T>; N],
}

impl<S: Simd, T: Real, const N: usize> Factor<S, T, N> {
    #[inline(always)]
    pub fn new(part: Part<S, T>) -> Self {
        let zero = part.splat(0.0);
        Factor { lower: [[zero; N]; N], inverse: [zero; N] }
    }

    /// Factors p x p normal matrices with `1 + damping` times their diagonal. No square roots, and no scaling: the damping
    /// is that of columns of length one. True where every pivot is above `least` of its diagonal, false where one is NaN.
    #[inline(always)]
    pub fn fill(
        &mut self,
        normal: &Matrix<S, T, N>,
        p: usize,
        damping: Wide<S, T>,
        least: Wide<S, T>,
    ) -> Mask<S, T> {
        let mut sound = least.le(least);
        for i in 0..p {
            let mut row = normal[i]; // becomes that of L D
            for j in 0..i {
                for k in 0..j {
                    row[j] = row[j].minus(row[k], self.lower[j][k]);
                }
            }
            let diagonal = normal[i][i];
            let mut pivot = diagonal.plus(damping, diagonal);
            for j in 0..i {
                self.lower[i][j] = row[j] * self.inverse[j];
                pivot = pivot.minus(row[j], self.lower[i][j]);
            }
            sound = sound & pivot.gt(least * diagonal);
            self.inverse[i] = pivot.reciprocal();
        }
        sound
    }

    /// Solves L D L' x = b in place; returns b'x.
    #[inline(always)]
    pub fn solve(&self, p: usize, b: &mut [Wide<S, T>; N], zero: Wide<S, T>) -> Wide<S, T> {
        for i in 0..p {
            for k in 0..i {
                b[i] = b[i].minus(self.lower[i][k], b[k]);
            }
        }
        let mut squares = zero;
        for i in (0..p).rev() {
            let z = b[i];
            b[i] = z * self.inverse[i];
            squares = squares.plus(z, b[i]);
            for k in i + 1..p {
                b[i] = b[i].minus(self.lower[k][i], b[k]);
            }
        }
        squares
    }

    /// (L D L')^-1. The other two are room: for the inverse of L, but for its diagonal of ones, and its rows times D^-1.
    #[inline(always)]
    pub fn invert(
        &self,
        p: usize,
        out: &mut Matrix<S, T, N>,
        inverse: &mut Matrix<S, T, N>,
        scaled: &mut Matrix<S, T, N>,
    ) {
        for j in 0..p {
            scaled[j][j] = self.inverse[j];
            for i in j + 1..p {
                let mut sum = self.lower[i][j];
                for k in j + 1..i {
                    sum = sum.plus(self.lower[i][k], inverse[k][j]);
                }
                inverse[i][j] = -sum;
                scaled[i][j] = inverse[i][j] * self.inverse[i];
            }
        }
        for i in 0..p {
            for j in 0..=i {
                out[i][j] = scaled[i][j];
                for k in i + 1..p {
                    out[i][j] = out[i][j].plus(inverse[k][i], scaled[k][j]);
                }
            }
        }
    }
}
