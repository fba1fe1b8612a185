//! Passes over items whose loops have a constant length where all items have a common shape.

use pulp::{Simd, WithSimd};

use crate::tape::{Level, has_fma};

use super::family::Family;
use super::group::Group;

/// A pass over the items of a group: `rows` residuals, `width` columns of kept variables, `e` of the eliminated one.
/// Where items differ, rows and width are 0 and each family has its own.
pub trait Shaped: Sized {
    fn group(&self) -> (&Group, &[Family]);

    /// Implementations are `#[inline(always)]`: the common shapes become code of their own.
    fn pass<const F: bool>(self, rows: usize, width: usize, e: usize);

    /// Runs the pass, compiled for this machine.
    fn run(self) {
        Level::best().run(Task(self));
    }
}

struct Task<T>(T);

impl<T: Shaped> WithSimd for Task<T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        if has_fma::<S>() { self.by_shape::<true>() } else { self.by_shape::<false>() }
    }
}

impl<T: Shaped> Task<T> {
    #[inline(always)]
    fn by_shape<const F: bool>(self) {
        let (group, families) = self.0.group();
        match (group.uniform(families), group.eliminated) {
            (Some((2, 9)), 3) => self.0.pass::<F>(2, 9, 3),
            (Some((2, 6)), 3) => self.0.pass::<F>(2, 6, 3),
            (_, e) => self.0.pass::<F>(0, 0, e),
        }
    }
}
