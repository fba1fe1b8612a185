//! `Normal`: the normal equations of a sparse Jacobian.

use marquardt_core::linear::sparse::{Kind, normal};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::Column;

#[pyclass(module = "marquardt._core")]
pub struct Normal(normal::Normal);

fn sized(found: usize, wanted: usize, what: &str) -> PyResult<()> {
    if found == wanted {
        return Ok(());
    }
    Err(PyValueError::new_err(format!("{found} {what}, {wanted} are needed")))
}

#[pymethods]
impl Normal {
    /// Of a Jacobian with n columns, in compressed rows.
    #[new]
    fn new(
        py: Python<'_>,
        n: usize,
        starts: PyReadonlyArray1<i64>,
        columns: PyReadonlyArray1<i64>,
        threads: usize,
    ) -> PyResult<Self> {
        let bad = || PyValueError::new_err("the rows of the Jacobian are not in order");
        let (starts, columns) = (starts.as_slice()?, columns.as_slice()?);
        if starts.first() != Some(&0)
            || starts.last() != Some(&(columns.len() as i64))
            || !starts.is_sorted()
            || columns.iter().any(|&c| c < 0 || c as usize >= n)
        {
            return Err(bad());
        }
        let starts = starts.iter().map(|&s| s as usize).collect();
        let columns = columns.iter().map(|&c| c as u32).collect();
        Ok(Normal(py.detach(|| normal::Normal::new(n, starts, columns, Kind::Auto, threads))))
    }

    /// Takes the numbers of J and the residuals.
    fn linearize(&mut self, py: Python<'_>, jacobian: Column, residuals: Column) -> PyResult<()> {
        sized(jacobian.as_ref().len(), self.0.n_numbers(), "numbers of the Jacobian")?;
        sized(residuals.as_ref().len(), self.0.n_residuals(), "residuals")?;
        py.detach(|| self.0.linearize(jacobian.as_ref(), residuals.as_ref()));
        Ok(())
    }

    fn gradient<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.0.gradient().to_vec().into_pyarray(py)
    }

    fn diagonal<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.0.diagonal().collect::<Vec<_>>().into_pyarray(py)
    }

    fn curvature(&self, p: Column) -> PyResult<f64> {
        sized(p.as_ref().len(), self.0.n_parameters(), "components")?;
        Ok(self.0.curvature(p.as_ref()))
    }

    #[pyo3(signature = (lam, frozen))]
    fn factorize(
        &mut self,
        py: Python<'_>,
        lam: f64,
        frozen: Option<PyReadonlyArray1<bool>>,
    ) -> PyResult<bool> {
        let frozen = frozen.as_ref().map(|f| f.as_slice()).transpose()?.map(<[bool]>::to_vec);
        if let Some(frozen) = &frozen {
            sized(frozen.len(), self.0.n_parameters(), "components")?;
        }
        Ok(py.detach(|| self.0.factorize(lam, frozen.as_deref())))
    }

    fn solve<'py>(&self, py: Python<'py>, rhs: Column) -> PyResult<Bound<'py, PyArray1<f64>>> {
        sized(rhs.as_ref().len(), self.0.n_parameters(), "components")?;
        let mut x = rhs.as_ref().to_vec();
        py.detach(|| self.0.solve(&mut x));
        Ok(x.into_pyarray(py))
    }

    fn step<'py>(&self, py: Python<'py>) -> (Bound<'py, PyArray1<f64>>, f64) {
        let (p, predicted) = py.detach(|| self.0.step());
        (p.into_pyarray(py), predicted)
    }

    fn inverse_diagonal<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        py.detach(|| self.0.inverse_diagonal()).into_pyarray(py)
    }

    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (c, info) = (self.0.cholesky(), PyDict::new(py));
        info.set_item("solver", if c.kind() == Kind::Dense { "dense" } else { "sparse" })?;
        info.set_item("flops", c.flops())?;
        info.set_item("nonzeros", c.nonzeros())?;
        info.set_item("bytes", c.bytes())?;
        Ok(info)
    }
}
