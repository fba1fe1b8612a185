//! NumPy arrays as slices that outlive the GIL.

use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray1, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A one-dimensional contiguous float64 array, kept alive and readable while the GIL is released.
///
/// As with every NumPy extension that releases the GIL, the caller must not write to the array meanwhile.
pub struct Column {
    _keep: Py<PyArray1<f64>>,
    start: *const f64,
    len: usize,
}

// SAFETY: the memory is owned by the array that `_keep` keeps alive, and is only read.
unsafe impl Send for Column {}
unsafe impl Sync for Column {}

impl AsRef<[f64]> for Column {
    fn as_ref(&self) -> &[f64] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: `start` and `len` come from a contiguous array that lives as long as self.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl<'py> FromPyObject<'_, 'py> for Column {
    type Error = PyErr;
    fn extract(array: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let array: Bound<'py, PyArray1<f64>> = array.cast::<PyArray1<f64>>()?.to_owned();
        if !array.is_contiguous() {
            return Err(PyValueError::new_err("a column must be contiguous"));
        }
        let (start, len) = (array.data().cast_const(), array.len());
        if !start.is_aligned() {
            return Err(PyValueError::new_err("a column must lie aligned in memory: copy it first"));
        }
        Ok(Column { _keep: array.unbind(), start, len })
    }
}

/// Has NumPy's tables and version looked up, which the first array of a process asks for: 0.3 ms, better spent while the
/// module is imported than in the first fit.
pub fn look_up_numpy(py: Python<'_>) -> PyResult<()> {
    PyArray1::<u32>::zeros(py, 0, false).as_any().extract::<PyReadonlyArray1<u32>>()?;
    Ok(())
}
