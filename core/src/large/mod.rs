//! Large problems: families of residuals over families of variables.
//!
//! `System` holds one point's linear model: a pass over the items writes residuals and derivatives into records
//! (`linearize`), the variables of one family are eliminated (`eliminate`), what is left of the normal equations is
//! summed block by block (`assemble`), factored and solved (`factorize`, `solve`). The loop that takes steps is above.

mod assemble;
mod back;
mod eliminate;
mod factorize;
mod family;
mod fused;
mod group;
mod inverse;
mod layout;
mod linearize;
mod lines;
mod pairs;
mod points;
mod reduced;
mod shape;
mod solve;
mod system;
mod weigh;

pub use crate::threads::Soon;
pub use family::{Contents, Family, Given, Program, Slots};
pub use layout::{Layout, Sizes};
pub use reduced::{Preconditioning, Reduced, Solver};
pub use solve::Step;
pub use system::{Seconds, Structure, System};
