//! Dividing the rows among threads: pieces of fixed size, so that results do not depend on who did what.

use std::sync::Mutex;

use crate::tape::BLOCK;

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

/// Work that two threads finish no sooner than one, in nanoseconds.
const WORTH_SHARING: f64 = 1e5;

/// Threads to use for `items` pieces of work.
pub(crate) fn n_threads(wanted: usize, items: usize, nanoseconds: f64) -> usize {
    if wanted == 1 || items < 2 || nanoseconds < WORTH_SHARING {
        return 1;
    }
    let wanted = if wanted == 0 { rayon::current_num_threads() } else { wanted };
    wanted.min(items)
}

/// Calls `f(index, item, worker)` for every item, on several threads if asked; each thread has a worker of its own.
pub(crate) fn share<T: Send, W: Send + Default>(
    threads: usize,
    workers: &mut Vec<W>,
    items: impl Iterator<Item = T> + Send,
    f: impl Fn(usize, T, &mut W) + Sync,
) {
    if workers.len() < threads.max(1) {
        workers.resize_with(threads.max(1), W::default);
    }
    if threads <= 1 {
        items.enumerate().for_each(|(k, item)| f(k, item, &mut workers[0]));
        return;
    }
    let (queue, f) = (&Mutex::new(items.enumerate()), &f);
    let next = move || queue.lock().ok().and_then(|mut q| q.next());
    rayon::scope(|scope| {
        for worker in workers.iter_mut().take(threads) {
            scope.spawn(move |_| {
                while let Some((k, item)) = next() {
                    f(k, item, worker);
                }
            });
        }
    });
}
