//! How the reduced system is solved: by its factor, or by conjugate gradients.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use crate::linear::blocks::{BlockMatrix, BlockPattern};
use crate::linear::sparse::pcg::{Operator, Preconditioner};
use crate::linear::sparse::precondition::{BlockJacobi, Clusters};
use crate::linear::sparse::{Cholesky, Kind, pcg};
use crate::threads::{Soon, promise};

use super::points::damping_of;
use super::system::System;

/// What solves the reduced system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Solver {
    /// Cholesky's factor; where that takes as long as many products with the records, conjugate gradients for as long as
    /// they need fewer.
    Auto,
    Dense,
    Sparse,
    /// Conjugate gradients.
    Gradients(Preconditioning),
}

/// What the products of conjugate gradients are preconditioned by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preconditioning {
    /// The diagonal blocks of J'J: as if points were known. The reduced matrix is never built.
    Jacobi,
    /// Those of the reduced matrix, which is never built.
    SchurJacobi,
    /// Diagonal blocks of cameras that see the same points; the reduced matrix is built.
    Clusters,
}

impl Solver {
    pub fn kind(self) -> Kind {
        match self {
            Solver::Dense => Kind::Dense,
            Solver::Sparse => Kind::Sparse,
            _ => Kind::Auto,
        }
    }

    /// Are only the diagonal blocks of the reduced matrix made?
    pub fn only_diagonal(self) -> bool {
        matches!(self, Solver::Gradients(Preconditioning::Jacobi | Preconditioning::SchurJacobi))
    }
}

/// The reduced system made ready.
pub enum Reduced {
    /// Being analyzed.
    Soon(Soon<Cholesky>, Solver),
    Factor(Box<Cholesky>),
    Gradients(Preconditioning, Option<Box<dyn Preconditioner + Send + Sync>>),
}

/// Bytes of a factor whose memory is taken while it is analyzed: new pages of a small graph take as long as the arithmetic
/// of a step. A large factor is better touched by all threads, when it is first computed.
const SMALL: usize = 8 << 20;
/// Blocks of a cluster.
const CLUSTER: usize = 32;
/// How exactly steps are solved (Nash, Sofer 1990).
const ETA: f64 = 0.1;
const MAX_STEPS: usize = 500;
/// Solutions that are not steps (covariances, null vectors) are wanted to many digits.
const EXACT: f64 = 1e-14;

/// The analysis of a factor that is waited for.
pub struct Analysis {
    give: Sender<Cholesky>,
    pattern: Arc<BlockPattern>,
    solver: Solver,
    threads: usize,
}

impl Analysis {
    pub fn run(self) {
        let mut cholesky = Cholesky::analyze(&self.pattern, self.solver.kind(), self.threads);
        if cholesky.bytes() <= SMALL {
            cholesky.make_room();
        }
        let _ = self.give.send(cholesky); // nobody waits for it any more
    }
}

impl Reduced {
    /// What will solve systems of this pattern.
    pub fn of(solver: Solver, pattern: &Arc<BlockPattern>, threads: usize) -> Self {
        match solver {
            Solver::Gradients(kind) => Reduced::Gradients(kind, None),
            _ => Reduced::Factor(Box::new(Cholesky::analyze(pattern, solver.kind(), threads))),
        }
    }

    /// The same, to be analyzed while residuals and derivatives are evaluated: of intel's 5 ms, 1,728 poses, the analysis
    /// takes 1.
    pub fn later(solver: Solver, pattern: &Arc<BlockPattern>, threads: usize) -> (Self, Analysis) {
        let (give, soon) = promise();
        (Reduced::Soon(soon, solver), Analysis { give, pattern: pattern.clone(), solver, threads })
    }

    /// Is a thread busy with the analysis?
    pub fn is_soon(&self) -> bool {
        matches!(self, Reduced::Soon(..))
    }

    /// Waits for the analysis.
    pub fn wait(&mut self, pattern: &Arc<BlockPattern>, threads: usize) {
        let nothing = Reduced::Gradients(Preconditioning::Jacobi, None);
        *self = match std::mem::replace(self, nothing) {
            Reduced::Soon(soon, solver) => match soon.wait() {
                Some(cholesky) => Reduced::Factor(Box::new(cholesky)),
                None => Reduced::of(solver, pattern, threads),
            },
            known => known,
        };
    }

    /// Ready to solve with this matrix; false where it is not positive definite.
    pub fn factorize(&mut self, matrix: &BlockMatrix, threads: usize) -> bool {
        self.wait(&matrix.pattern, threads);
        match self {
            Reduced::Soon(..) => false,
            Reduced::Factor(cholesky) => cholesky.factorize(matrix).is_ok(),
            Reduced::Gradients(Preconditioning::Clusters, made) => {
                let clusters = Clusters::new(matrix, CLUSTER, threads);
                clusters.map(|c| *made = Some(Box::new(c))).is_ok()
            }
            Reduced::Gradients(_, made) => BlockJacobi::of(matrix).map(|j| *made = Some(Box::new(j))).is_ok(),
        }
    }
}

/// The reduced matrix with its damping by products with the records.
struct Implicit<'a>(&'a System);

impl Operator for Implicit<'_> {
    fn apply(&self, x: &[f64], y: &mut [f64]) {
        let s = self.0;
        let frozen = |j: usize| s.frozen.as_ref().is_some_and(|f| f.0[j]);
        let free: Vec<f64> = x.iter().enumerate().map(|(j, &x)| if frozen(j) { 0.0 } else { x }).collect();
        y.copy_from_slice(&s.apply(&free));
        for j in 0..x.len() {
            y[j] = if frozen(j) {
                x[j]
            } else {
                y[j] + s.lambda * damping_of(s.sums.diagonal[j], s.scale[j]) * x[j]
            };
        }
    }
}

impl System {
    /// Solves the reduced system in place, roughly where it is for a step; the number of conjugate gradient steps.
    pub(super) fn solve_reduced(&self, b: &mut [f64], for_step: bool) -> usize {
        match &self.solver {
            Reduced::Factor(cholesky) => {
                cholesky.solve(b, 1);
                0
            }
            Reduced::Gradients(kind, Some(preconditioner)) => {
                let most = self.patience.unwrap_or(MAX_STEPS);
                let (eta, most) = if for_step { (ETA, most) } else { (EXACT, 4 * b.len() + MAX_STEPS) };
                let (x, steps) = match kind {
                    Preconditioning::Clusters => pcg(&self.matrix, &**preconditioner, b, eta, most),
                    _ => pcg(&Implicit(self), &**preconditioner, b, eta, most),
                };
                b.copy_from_slice(&x);
                steps
            }
            Reduced::Gradients(_, None) | Reduced::Soon(..) => 0,
        }
    }
}
