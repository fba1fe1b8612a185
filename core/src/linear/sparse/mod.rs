//! Cholesky's factor of a symmetric positive definite block matrix: analyzed once, factorized many times.

mod factor;
mod front;
mod inverse;
pub mod normal;
mod order;
pub mod pcg;
pub mod precondition;
mod single;
mod small;
mod solve;
mod symbolic;

use std::fmt;
use std::sync::Arc;

use self::factor::Worker;
pub use self::pcg::pcg;
use self::symbolic::Symbolic;
use super::blocks::{BlockMatrix, BlockPattern};

/// How a matrix is factorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whichever is expected to be faster.
    Auto,
    /// As one dense matrix.
    Dense,
    /// Ordered by minimum degree.
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

/// A = L L', with the rows and columns of A in an order that keeps L sparse. The same bits for any number of threads.
pub struct Cholesky {
    pattern: Arc<BlockPattern>,
    symbolic: Symbolic,
    kind: Kind,
    values: Vec<f64>,
    workers: Vec<Worker>,
    threads: usize,
}

impl Cholesky {
    /// Prepares the factorization of matrices on a pattern; `threads` 0 is all there are.
    pub fn analyze(pattern: &Arc<BlockPattern>, kind: Kind, threads: usize) -> Self {
        let symbolic = match kind {
            Kind::Dense => Symbolic::dense(pattern),
            _ => Symbolic::sparse(pattern),
        };
        let (kind, symbolic) = match kind {
            Kind::Auto if symbolic.time() > Symbolic::dense_time(pattern.dimension()) => {
                (Kind::Dense, Symbolic::dense(pattern))
            }
            Kind::Auto => (Kind::Sparse, symbolic),
            _ => (kind, symbolic),
        };
        Self { pattern: pattern.clone(), symbolic, kind, values: Vec::new(), workers: Vec::new(), threads }
    }

    /// Has the memory of the factor there before the first factorization: new pages take as long as that of a small graph.
    pub fn make_room(&mut self) {
        self.values.resize(self.symbolic.size, 0.0);
    }

    /// Factorizes a matrix on the pattern that was analyzed; damping is already in it.
    pub fn factorize(&mut self, matrix: &BlockMatrix) -> Result<(), NotPositive> {
        assert_eq!(
            matrix.values.len(),
            self.pattern.block_start[self.pattern.columns.len()],
            "size of the matrix"
        );
        self.make_room();
        let s = &self.symbolic;
        factor::factorize(s, matrix, &mut self.values, &mut self.workers, self.threads).map_err(|row| {
            let place = s.offsets.partition_point(|&o| o <= row) - 1;
            NotPositive { block: s.order[place] }
        })
    }

    /// Solves A X = B with the present factor; `rhs` holds the columns of B one after the other, and X after.
    pub fn solve(&self, rhs: &mut [f64], n_rhs: usize) {
        assert_eq!(rhs.len(), n_rhs * self.pattern.dimension(), "size of the right-hand sides");
        solve::solve(&self.symbolic, &self.values, rhs, n_rhs, &self.pattern.offsets);
    }

    /// The blocks (i, j) of A^-1, row-major. Where L has the block they cost about as much as a factorization, all
    /// together; elsewhere each block column costs as many solutions as it has scalar columns.
    pub fn inverse_blocks(&self, wanted: &[(u32, u32)]) -> Vec<Vec<f64>> {
        inverse::blocks(&self.symbolic, &self.values, wanted, &self.pattern.offsets)
    }

    /// Dense or sparse.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Multiplications and additions of one factorization.
    pub fn flops(&self) -> f64 {
        2.0 * self.symbolic.flops
    }

    /// Numbers of L, zeros that are stored within its dense parts included.
    pub fn nonzeros(&self) -> usize {
        self.symbolic.nodes.iter().map(|n| n.width * n.height - n.width * n.width.saturating_sub(1) / 2).sum()
    }

    /// Memory of the factor.
    pub fn bytes(&self) -> usize {
        self.symbolic.size * size_of::<f64>()
    }
}
