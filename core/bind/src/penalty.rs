//! Rows on parameters, as Python gives them.

use marquardt_core::evaluate::Evaluate;
use marquardt_core::evaluate::penalty::{Penalized, Row};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// (free parameter, center, weight) of each row w (x_j - c).
pub type Rows = Vec<(usize, f64, f64)>;

/// `inner` with the rows at the end of its residuals.
pub fn penalized<E: Evaluate>(inner: E, rows: Rows) -> PyResult<Penalized<E>> {
    let row = |(parameter, center, weight)| Row { parameter, center, weight };
    Penalized::new(inner, rows.into_iter().map(row).collect()).map_err(PyValueError::new_err)
}
