//! Many fits of one small model: every lane of the vectors is a fit of its own.
//!
//! A group of fits walks in step: one evaluation gives each its cost, gradient and normal matrix (`Sums`), one
//! pass over its vectors judges each fit by its own gain ratio and finds its own next step. A fit that ends
//! leaves its lane to the next one at once, so that no lane waits for the slowest fit of a group.
//!
//! Lanes certify only what is clearly a minimum: a step far below the standard errors, fast contraction, a good
//! condition, bounds that hold with a clear force or are clearly out of the way. Everything else is handed back as
//! `Verdict::Doubtful`, for the dense QR path.
//!
//! All of this is written for numbers of either precision (`Real`): a vector holds twice as many of single precision. What
//! those cannot tell is for lanes of double precision.

mod counts;
mod data;
mod each;
mod grid;
mod lanes;
mod line;
mod machine;
mod moments;
mod normal;
mod plan;
mod product;
mod robust;
mod run;
mod small;
mod step;
mod tape;
mod wide;

pub use data::{Data, Numbers, Table};
pub use each::{Each, End};
pub use grid::{Grid, GridSpec};
pub use robust::Plan;
pub use run::{Ends, Way, run};

use crate::likelihood::Family;
use std::ops::{Deref, DerefMut};

use crate::tape::{Level, Real};

/// One number of each fit of a group.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Row<T: Real>(T::Lanes);

impl<T: Real> Default for Row<T> {
    fn default() -> Self {
        Row(T::ZEROS)
    }
}

impl<T: Real> Deref for Row<T> {
    type Target = [T];
    #[inline(always)]
    fn deref(&self) -> &[T] {
        self.0.as_ref()
    }
}

impl<T: Real> DerefMut for Row<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        self.0.as_mut()
    }
}

/// What one evaluation gives, for each fit of a group.
#[derive(Clone, Debug, Default)]
pub struct Sums<T: Real> {
    /// Half the sum of squares, or of counts half the deviance.
    pub cost: Row<T>,
    /// Of counts half of Pearson's chi-square.
    pub pearson: Row<T>,
    /// J'f, one row per free parameter.
    pub gradient: Vec<Row<T>>,
    /// Lower triangle of J'J by rows: (0, 0), (1, 0), (1, 1), (2, 0), ...
    pub normal: Vec<Row<T>>,
}

impl<T: Real> Sums<T> {
    pub fn new(p: usize) -> Self {
        let rows = |n| vec![Row::default(); n];
        Sums {
            cost: Row::default(),
            pearson: Row::default(),
            gradient: rows(p),
            normal: rows(p * (p + 1) / 2),
        }
    }
}

/// How many points of a fit count, and the sum of squares of their weighted response.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    pub n_points: usize,
    pub squares: f64,
}

/// A model over a group of fits. What it does in a lane depends on the fit in that lane alone.
pub trait LaneModel<T: Real> {
    /// The likelihood whose sums it gives; None: squares.
    fn family(&self) -> Option<Family> {
        None
    }
    /// Bring the data of a fit into a lane.
    fn load(&mut self, fit: usize, lane: usize) -> Size;
    /// Cost, gradient and normal matrix at `x`, a row per free parameter. What is not finite stays in its lane.
    fn evaluate(&mut self, level: Level, x: &[Row<T>], out: &mut Sums<T>);
}
