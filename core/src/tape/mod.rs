//! The tape machine: runs a flat register program over blocks of points.
//!
//! A model arrives as a `TapeSpec`, is checked once by `Tape::new`, and then runs block by block in a `Workspace`.
//! Plain loops are compiled three times (baseline, AVX2 with FMA, AVX-512) and chosen at run time by `Level`.

mod level;
pub(crate) mod math;
mod ops;
mod program;
mod real;
mod run;
mod single;
mod workspace;

pub use level::Level;
pub(crate) use level::has_fma;
pub use ops::opcodes;
pub(crate) use ops::{Op, Operand};
pub(crate) use program::Slot;
pub use program::{Tape, TapeSpec};
pub use real::{POINTS, Real};
pub use run::Rows;
pub use workspace::{BLOCK, Column, Workspace, padded};
