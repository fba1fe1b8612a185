//! Memory for long residual vectors, kept between fits.
//!
//! Fresh memory costs a page fault every 512 values: with 1e6 residuals that took as long as a pass over the data
//! (a repeated fit of 1e6 points fell from 14.1 to 9.7 ms when the first of these vectors was kept).

use std::sync::Mutex;

/// At most two vectors of at most 16 MB each.
static SPARE: Mutex<Vec<Vec<f64>>> = Mutex::new(Vec::new());
const KEPT: usize = 2;
const LENGTHS: std::ops::Range<usize> = 32_768..2_000_000;

/// A vector of m numbers, whatever they are.
pub fn take(m: usize) -> Vec<f64> {
    if LENGTHS.contains(&m)
        && let Ok(mut spare) = SPARE.lock()
        && let Some(k) = spare.iter().position(|v| v.len() >= m)
    {
        let mut found = spare.swap_remove(k);
        found.truncate(m);
        return found;
    }
    vec![0.0; m]
}

/// Hand back a vector that is no longer needed.
pub fn give(v: Vec<f64>) {
    if LENGTHS.contains(&v.len())
        && let Ok(mut spare) = SPARE.lock()
    {
        if spare.len() == KEPT {
            spare.remove(0); // the newest are the likeliest to fit
        }
        spare.push(v);
    }
}
