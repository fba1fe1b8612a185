//! Dense linear algebra of the core.

pub mod eig;
pub mod gram;
pub mod qr;
pub(crate) mod small;
pub mod svd;
pub mod triangle;
pub(crate) mod vector;
