//! Dividing the rows of data into jobs.

use crate::tape::BLOCK;
pub(crate) use crate::threads::{n_threads, share};

/// A run of rows of one block of data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub block: usize,
    pub start: usize,
    pub end: usize,
}

const MIN_ROWS: usize = 8 * BLOCK;
/// At most this many jobs per block of data: each keeps a factor until it is merged.
const MAX_JOBS: usize = 64;

/// The jobs of a block with n rows; they depend on n only.
pub(crate) fn divide(block: usize, n: usize) -> impl Iterator<Item = Job> {
    let size = rows_per_job(n);
    (0..n).step_by(size).map(move |start| Job { block, start, end: n.min(start + size) })
}

pub(crate) fn rows_per_job(n: usize) -> usize {
    n.div_ceil(MAX_JOBS).next_multiple_of(BLOCK).max(MIN_ROWS)
}
