//! Symmetric matrices made of blocks of mixed sizes, stored by their lower triangle.

use std::ops::Range;
use std::sync::Arc;

/// Which blocks of a symmetric matrix are stored: row i lists its block columns j <= i, ascending, and the diagonal
/// block, always present, comes last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPattern {
    /// Scalar rows of each block row.
    pub sizes: Vec<u32>,
    /// Where each block row starts in a vector, and the scalar dimension (n + 1 numbers).
    pub offsets: Vec<usize>,
    /// Where each block row starts in `columns` (n + 1 numbers).
    pub row_start: Vec<usize>,
    /// The block columns, row by row.
    pub columns: Vec<u32>,
    /// Where each block starts in the values, and their number.
    pub block_start: Vec<usize>,
}

impl BlockPattern {
    /// The pattern with these blocks off the diagonal, in any order, in either triangle, repeated or not.
    ///
    /// # Panics
    /// Where a block lies outside the matrix.
    pub fn new(sizes: Vec<u32>, blocks: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let n = sizes.len();
        let lower = |(i, j): (u32, u32)| (i.max(j), i.min(j));
        let mut pairs: Vec<(u32, u32)> = blocks.into_iter().map(lower).filter(|(i, j)| i != j).collect();
        pairs.extend((0..n as u32).map(|i| (i, i)));
        pairs.sort_unstable();
        pairs.dedup();
        assert!(pairs.last().is_none_or(|p| (p.0 as usize) < n), "a block lies outside the matrix");
        let mut row_start = vec![0; n + 1];
        for &(i, _) in &pairs {
            row_start[i as usize + 1] += 1;
        }
        (0..n).for_each(|i| row_start[i + 1] += row_start[i]);
        let areas = pairs.iter().map(|&(i, j)| sizes[i as usize] as usize * sizes[j as usize] as usize);
        let block_start = running(areas);
        let offsets = running(sizes.iter().map(|&s| s as usize));
        let columns = pairs.into_iter().map(|(_, j)| j).collect();
        Self { sizes, offsets, row_start, columns, block_start }
    }

    /// Every block of the lower triangle.
    pub fn full(sizes: Vec<u32>) -> Self {
        let n = sizes.len() as u32;
        Self::new(sizes, (0..n).flat_map(|i| (0..i).map(move |j| (i, j))))
    }

    /// Block rows.
    pub fn n_blocks(&self) -> usize {
        self.sizes.len()
    }

    /// Scalar rows.
    pub fn dimension(&self) -> usize {
        self.offsets[self.n_blocks()]
    }

    /// The blocks of row i, as positions in `columns` and `block_start`.
    pub fn row(&self, i: usize) -> Range<usize> {
        self.row_start[i]..self.row_start[i + 1]
    }

    /// The scalar rows of block row i.
    pub fn rows(&self, i: usize) -> Range<usize> {
        self.offsets[i]..self.offsets[i + 1]
    }

    /// The position of block (i, i).
    pub fn diagonal(&self, i: usize) -> usize {
        self.row_start[i + 1] - 1
    }

    /// The position of block (i, j), j <= i, where it is stored.
    pub fn find(&self, i: usize, j: usize) -> Option<usize> {
        let row = self.row(i);
        self.columns[row.clone()].binary_search(&(j as u32)).ok().map(|k| row.start + k)
    }
}

/// The sums of all numbers before each, and of all.
pub(crate) fn running(numbers: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut sums = vec![0];
    for number in numbers {
        sums.push(sums[sums.len() - 1] + number);
    }
    sums
}

/// A symmetric matrix on a pattern: block k is row-major, sizes[i] x sizes[j], at `block_start[k]`. Of a diagonal
/// block only the lower triangle is read.
#[derive(Clone, Debug)]
pub struct BlockMatrix {
    pub pattern: Arc<BlockPattern>,
    pub values: Vec<f64>,
}

impl BlockMatrix {
    /// All zeros.
    pub fn zeros(pattern: &Arc<BlockPattern>) -> Self {
        let size = pattern.block_start[pattern.columns.len()];
        Self { pattern: pattern.clone(), values: vec![0.0; size] }
    }

    /// The numbers of the block at position k.
    pub fn block(&self, k: usize) -> &[f64] {
        &self.values[self.pattern.block_start[k]..self.pattern.block_start[k + 1]]
    }

    /// The numbers of the block at position k, to be written.
    pub fn block_mut(&mut self, k: usize) -> &mut [f64] {
        &mut self.values[self.pattern.block_start[k]..self.pattern.block_start[k + 1]]
    }

    /// y = A x.
    pub fn multiply(&self, x: &[f64], y: &mut [f64]) {
        y.fill(0.0);
        let p = &*self.pattern;
        for i in 0..p.n_blocks() {
            let rows = p.rows(i);
            for k in p.row(i) {
                let j = p.columns[k] as usize;
                if j == i {
                    symmetric_times(self.block(k), &x[rows.clone()], &mut y[rows.clone()]);
                } else {
                    both_sides(self.block(k), x, y, rows.clone(), p.rows(j));
                }
            }
        }
    }
}

/// y += A x for a symmetric A given by its lower triangle.
fn symmetric_times(a: &[f64], x: &[f64], y: &mut [f64]) {
    let n = x.len();
    for r in 0..n {
        let row = &a[r * n..r * n + r];
        let mut sum = a[r * n + r] * x[r];
        for (c, a) in row.iter().enumerate() {
            sum += a * x[c];
            y[c] += a * x[r];
        }
        y[r] += sum;
    }
}

/// y_i += B x_j and y_j += B'x_i, where i and j name scalar rows.
fn both_sides(b: &[f64], x: &[f64], y: &mut [f64], i: Range<usize>, j: Range<usize>) {
    let (head, tail) = y.split_at_mut(i.start);
    let (yi, yj) = (&mut tail[..i.len()], &mut head[j.clone()]);
    let (xi, xj) = (&x[i], &x[j.clone()]);
    for (row, (y, x)) in b.chunks_exact(j.len()).zip(yi.iter_mut().zip(xi)) {
        let mut sum = 0.0;
        for ((b, xj), yj) in row.iter().zip(xj).zip(yj.iter_mut()) {
            sum += b * xj;
            *yj += b * x;
        }
        *y += sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_given_in_any_order_and_found_again() {
        let p = BlockPattern::new(vec![2, 1, 3], [(0, 2), (2, 0), (1, 1)]);
        assert_eq!((p.dimension(), p.columns.as_slice()), (6, &[0, 1, 0, 2][..]));
        assert_eq!(p.block_start, [0, 4, 5, 11, 20]);
        assert_eq!((p.find(2, 0), p.find(2, 1), p.diagonal(2)), (Some(2), None, 3));
        assert_eq!(BlockPattern::full(vec![1; 4]).columns.len(), 10);
    }

    #[test]
    fn a_product_reads_the_lower_triangle_only() {
        let pattern = Arc::new(BlockPattern::new(vec![2, 1], [(1, 0)]));
        let mut a = BlockMatrix::zeros(&pattern);
        a.values = vec![2.0, f64::NAN, 1.0, 3.0, 4.0, 5.0, 6.0]; // rows: 2 1 4 | 1 3 5 | 4 5 6
        let mut y = [0.0; 3];
        a.multiply(&[1.0, 2.0, 3.0], &mut y);
        assert_eq!(y, [16.0, 22.0, 32.0]);
    }
}
