//! Preconditioners: the blocks on the diagonal, or clusters of blocks that belong together.

use std::sync::Arc;

use super::pcg::Preconditioner;
use super::{Cholesky, Kind, NotPositive};
use crate::linear::blocks::{BlockMatrix, BlockPattern};

/// None: conjugate gradients without preconditioning.
pub struct Identity;

impl Preconditioner for Identity {
    fn apply(&self, r: &[f64], z: &mut [f64]) {
        z.copy_from_slice(r);
    }
}

/// Block Jacobi: the factors of blocks on a diagonal.
pub struct BlockJacobi {
    sizes: Vec<u32>,
    /// The lower factor of each block, row-major.
    factors: Vec<f64>,
}

impl BlockJacobi {
    /// Of a block diagonal that is given, block after block, each row-major; the lower triangles are read.
    pub fn new(sizes: &[u32], diagonal: &[f64]) -> Result<Self, NotPositive> {
        let mut factors = diagonal.to_vec();
        let mut rest = &mut factors[..];
        for (block, &size) in sizes.iter().enumerate() {
            let (own, after) = std::mem::take(&mut rest).split_at_mut((size * size) as usize);
            rest = after;
            if !lower_factor(own, size as usize) {
                return Err(NotPositive { block });
            }
        }
        Ok(Self { sizes: sizes.to_vec(), factors })
    }

    /// Of the diagonal of the matrix itself; for a reduced system this is Schur-Jacobi.
    pub fn of(matrix: &BlockMatrix) -> Result<Self, NotPositive> {
        let p = &matrix.pattern;
        let blocks = (0..p.n_blocks()).flat_map(|i| matrix.block(p.diagonal(i)));
        Self::new(&p.sizes, &blocks.copied().collect::<Vec<_>>())
    }
}

impl Preconditioner for BlockJacobi {
    fn apply(&self, r: &[f64], z: &mut [f64]) {
        z.copy_from_slice(r);
        let (mut rest, mut factors) = (z, &self.factors[..]);
        for &size in &self.sizes {
            let size = size as usize;
            let (own, after) = std::mem::take(&mut rest).split_at_mut(size);
            let (l, others) = factors.split_at(size * size);
            (rest, factors) = (after, others);
            lower_solve(l, own);
        }
    }
}

/// Cholesky's factor L in the lower triangle, row-major. False where the matrix is not positive definite.
fn lower_factor(a: &mut [f64], n: usize) -> bool {
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| a[i * n + k] * a[j * n + k]).sum();
            let value = a[i * n + j] - known;
            if i == j && (value.is_nan() || value <= 1e-15 * a[i * n + i]) {
                return false;
            }
            a[i * n + j] = if i == j { value.sqrt() } else { value / a[j * n + j] };
        }
    }
    true
}

/// Solves L L'x = b.
fn lower_solve(l: &[f64], x: &mut [f64]) {
    let n = x.len();
    for i in 0..n {
        let known: f64 = (0..i).map(|k| l[i * n + k] * x[k]).sum();
        x[i] = (x[i] - known) / l[i * n + i];
    }
    for i in (0..n).rev() {
        x[i] /= l[i * n + i];
        let value = x[i];
        (0..i).for_each(|k| x[k] -= l[i * n + k] * value);
    }
}

/// The blocks within clusters, factorized; what joins the clusters is left out (Kushal & Agarwal 2012: cameras that see
/// the same points).
pub struct Clusters {
    pattern: Arc<BlockPattern>,
    /// Where each block of the pattern is in the whole matrix.
    kept: Vec<usize>,
    cholesky: Cholesky,
    /// The cluster of each block row.
    pub cluster: Vec<u32>,
}

impl Clusters {
    /// Clusters of at most `max_blocks` block rows: the strongest connections first (single linkage), where the strength
    /// of a block is |A_ij|^2 / (|A_ii| |A_jj|) by Frobenius' norms.
    pub fn new(matrix: &BlockMatrix, max_blocks: usize, threads: usize) -> Result<Self, NotPositive> {
        let p = &matrix.pattern;
        let cluster = link(matrix, max_blocks.max(1));
        let same = |&(i, k): &(usize, usize)| cluster[i] == cluster[p.columns[k] as usize];
        let inner: Vec<(usize, usize)> =
            (0..p.n_blocks()).flat_map(|i| p.row(i).map(move |k| (i, k))).filter(same).collect();
        let kept = inner.iter().map(|&(_, k)| k).collect();
        let blocks = inner.iter().map(|&(i, k)| (i as u32, p.columns[k]));
        let pattern = Arc::new(BlockPattern::new(p.sizes.clone(), blocks));
        let cholesky = Cholesky::analyze(&pattern, Kind::Sparse, threads);
        let mut clusters = Self { pattern, kept, cholesky, cluster };
        clusters.factorize(matrix)?;
        Ok(clusters)
    }

    /// The same clusters with other numbers.
    pub fn factorize(&mut self, matrix: &BlockMatrix) -> Result<(), NotPositive> {
        let mut inner = BlockMatrix::zeros(&self.pattern);
        self.kept
            .iter()
            .enumerate()
            .for_each(|(to, &from)| inner.block_mut(to).copy_from_slice(matrix.block(from)));
        self.cholesky.factorize(&inner)
    }
}

impl Preconditioner for Clusters {
    fn apply(&self, r: &[f64], z: &mut [f64]) {
        z.copy_from_slice(r);
        self.cholesky.solve(z, 1);
    }
}

/// The cluster of each block row, numbered by their first rows.
fn link(matrix: &BlockMatrix, max_blocks: usize) -> Vec<u32> {
    let p = &matrix.pattern;
    let n = p.n_blocks();
    let norm = |k: usize| matrix.block(k).iter().map(|v| v * v).sum::<f64>().sqrt();
    let own: Vec<f64> = (0..n).map(|i| norm(p.diagonal(i))).collect();
    let mut links: Vec<(f64, usize, usize)> = (0..n)
        .flat_map(|i| p.row(i).map(move |k| (i, p.columns[k] as usize, k)))
        .filter(|(i, j, _)| i != j)
        .map(|(i, j, k)| (norm(k).powi(2) / (own[i] * own[j]), i, j))
        .collect();
    links.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut head: Vec<usize> = (0..n).collect();
    let mut size = vec![1; n];
    for (_, i, j) in links {
        let (a, b) = (root(&mut head, i), root(&mut head, j));
        if a != b && size[a] + size[b] <= max_blocks {
            let (low, high) = (a.min(b), a.max(b));
            head[high] = low;
            size[low] += size[high];
        }
    }
    (0..n).map(|i| root(&mut head, i) as u32).collect()
}

fn root(head: &mut [usize], mut i: usize) -> usize {
    while head[i] != i {
        head[i] = head[head[i]];
        i = head[i];
    }
    i
}
