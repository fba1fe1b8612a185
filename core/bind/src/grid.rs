//! `Grid`: a model that is a sum of products on a grid.

use marquardt_core::batch::{self, GridSpec};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::tape::Tape;

/// What `marquardt.batch.grid.Separable` holds, for the core.
#[pyclass(frozen, module = "marquardt._core")]
pub struct Grid(pub batch::Grid);

#[pymethods]
impl Grid {
    #[new]
    fn new(
        sizes: [usize; 2],
        coefficients: &Tape,
        factors: (PyRef<'_, Tape>, PyRef<'_, Tape>),
        columns: [Vec<Vec<f64>>; 2],
        products: Vec<[usize; 2]>,
        terms: Vec<[usize; 3]>,
        n_outputs: usize,
    ) -> PyResult<Self> {
        let spec = GridSpec {
            sizes,
            coefficients: coefficients.0.clone(),
            factors: [factors.0.0.clone(), factors.1.0.clone()],
            columns,
            products,
            terms,
            n_outputs,
        };
        batch::Grid::new(spec).map(Grid).map_err(PyValueError::new_err)
    }
}
