//! Dense linear algebra of the core.

pub mod qr;
pub(crate) mod vector;
