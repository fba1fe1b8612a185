//! The one minimizer loop: step, judge by the gain ratio, move or retreat, stop?

mod options;
mod outcome;

pub use options::{Options, Scaling};
pub use outcome::{Control, Outcome, Progress, Row, Status, Step};
