//! Linear algebra of the core: small and dense, and of sparse block matrices.

pub mod blocks;
pub mod eig;
pub mod gram;
pub mod qr;
pub(crate) mod small;
pub mod sparse;
pub mod svd;
pub mod triangle;
pub(crate) mod vector;
