//! Work divided among threads: by pieces of fixed size, so that results do not depend on who did what.

use std::process;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Work that two threads finish no sooner than one, in nanoseconds.
const WORTH_SHARING: f64 = 1e5;

/// Threads to use for `items` pieces of work.
pub(crate) fn n_threads(wanted: usize, items: usize, nanoseconds: f64) -> usize {
    if wanted == 1 || items < 2 || nanoseconds < WORTH_SHARING {
        return 1;
    }
    let wanted =
        if wanted == 0 { std::thread::available_parallelism().map_or(1, usize::from) } else { wanted };
    wanted.min(items)
}

/// A pool of at least so many threads, kept for the next call. None where threads cannot be made.
///
/// After a fork (Python's multiprocessing) the threads of the parent's pool do not exist in the child, and work
/// given to it would wait forever: a pool belongs to the process that made it.
fn pool(threads: usize) -> Option<Arc<ThreadPool>> {
    static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);
    let mut kept = POOL.lock().ok()?;
    if let Some((owner, pool)) = &*kept
        && *owner == process::id()
        && pool.current_num_threads() >= threads
    {
        return Some(pool.clone());
    }
    let new = Arc::new(ThreadPoolBuilder::new().num_threads(threads).build().ok()?);
    if let Some((owner, old)) = kept.replace((process::id(), new.clone()))
        && owner != process::id()
    {
        std::mem::forget(old); // dropping it would wait for threads that are not there
    }
    Some(new)
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
    let pool = if threads <= 1 { None } else { pool(threads - 1) };
    let Some(pool) = pool else {
        items.enumerate().for_each(|(k, item)| f(k, item, &mut workers[0]));
        return;
    };
    let (queue, f) = (&Mutex::new(items.enumerate()), &f);
    let next = move || queue.lock().ok().and_then(|mut q| q.next());
    let work = move |worker: &mut W| {
        while let Some((k, item)) = next() {
            f(k, item, worker);
        }
    };
    // The calling thread works too, and at once: waking a sleeping thread takes 50 µs and more.
    let (own, others) = workers[..threads].split_at_mut(1);
    pool.in_place_scope(|scope| {
        for worker in others {
            scope.spawn(move |_| work(worker));
        }
        work(&mut own[0]);
    });
}

/// What a thread of its own is working out.
pub struct Soon<T> {
    /// A mutex only to be shared between threads.
    result: Mutex<Receiver<T>>,
    owner: u32,
}

/// The two ends of a result: who works it out sends it, who needs it waits for it.
pub(crate) fn promise<T>() -> (Sender<T>, Soon<T>) {
    let (give, result) = channel();
    (give, Soon { result: Mutex::new(result), owner: process::id() })
}

impl<T> Soon<T> {
    /// None where no thread is at work on it: in a forked child of the process that began, or after a panic.
    pub fn wait(self) -> Option<T> {
        let result = self.result.into_inner().ok()?;
        if self.owner == process::id() { result.recv().ok() } else { result.try_recv().ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_waited_for() {
        let (give, soon) = promise();
        std::thread::spawn(move || give.send(7));
        assert_eq!(soon.wait(), Some(7));
    }

    #[test]
    fn a_result_that_nobody_works_out_any_more_is_none() {
        let (give, soon) = promise::<u8>();
        drop(give);
        assert_eq!(soon.wait(), None);
    }

    #[test]
    fn a_thread_of_the_process_that_forked_is_not_waited_for() {
        let (give, mut soon) = promise::<u8>();
        soon.owner += 1;
        assert_eq!(soon.wait(), None);
        drop(give); // until here it might have been sent
    }
}
