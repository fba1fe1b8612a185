//! Cholesky's factor of a symmetric positive definite block matrix: analyzed once, factorized many times.

use std::fmt;
use std::sync::Arc;

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{self, LltError};
use faer::linalg::triangular_solve;
use faer::{MatMut, MatRef, Par};

use super::blocks::{BlockMatrix, BlockPattern};

/// How a matrix is factorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whichever takes fewer operations, at the speed each has.
    Auto,
    Dense,
    Sparse,
}

/// The matrix is not positive definite: the pivot of this block is zero, negative or mere rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPositive {
    pub block: usize,
}

impl fmt::Display for NotPositive {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "the matrix is not positive definite at block {}", self.block)
    }
}

impl std::error::Error for NotPositive {}

/// A pivot that keeps less than this of its diagonal entry is rounding error.
const LOST: f64 = 1e-15;

/// A = L L'.
pub struct Cholesky {
    pattern: Arc<BlockPattern>,
    factor: Vec<f64>,
}

impl Cholesky {
    /// Prepares the factorization of matrices on a pattern.
    pub fn analyze(pattern: &Arc<BlockPattern>, _kind: Kind, _threads: usize) -> Self {
        Self { pattern: pattern.clone(), factor: Vec::new() }
    }

    /// Factorizes a matrix on the pattern that was analyzed; damping is already in it.
    pub fn factorize(&mut self, matrix: &BlockMatrix) -> Result<(), NotPositive> {
        let (p, n) = (&*self.pattern, self.pattern.dimension());
        self.factor.clear();
        self.factor.resize(n * n, 0.0);
        for i in 0..p.n_blocks() {
            for k in p.row(i) {
                let (rows, columns) = (p.rows(i), p.rows(p.columns[k] as usize));
                for (r, row) in rows.zip(matrix.block(k).chunks_exact(columns.len())) {
                    columns.clone().zip(row).for_each(|(c, v)| self.factor[c * n + r] = *v);
                }
            }
        }
        let diagonal: Vec<f64> = (0..n).map(|i| self.factor[i * n + i]).collect();
        let block = |i: usize| NotPositive { block: p.offsets.partition_point(|&o| o <= i) - 1 };
        let scratch = factor::cholesky_in_place_scratch::<f64>(n, Par::Seq, Default::default());
        let mut memory = MemBuffer::new(scratch);
        let l = MatMut::from_column_major_slice_mut(&mut self.factor, n, n);
        let stack = MemStack::new(&mut memory);
        factor::cholesky_in_place(l, Default::default(), Par::Seq, stack, Default::default())
            .map_err(|LltError::NonPositivePivot { index }| block(index))?;
        let kept = |i: &usize| self.factor[i * n + i].powi(2) > LOST * diagonal[*i];
        (0..n).find(|i| !kept(i)).map_or(Ok(()), |i| Err(block(i)))
    }

    /// Solves A X = B with the present factor; `rhs` holds the columns of B one after the other, and X after.
    pub fn solve(&self, rhs: &mut [f64], n_rhs: usize) {
        let n = self.pattern.dimension();
        let l = MatRef::from_column_major_slice(&self.factor, n, n);
        let mut x = MatMut::from_column_major_slice_mut(rhs, n, n_rhs);
        triangular_solve::solve_lower_triangular_in_place(l, x.as_mut(), Par::Seq);
        triangular_solve::solve_upper_triangular_in_place(l.transpose(), x, Par::Seq);
    }
}
