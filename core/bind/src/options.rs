//! `Options`: what the caller may choose, checked by `marquardt.options`.

use marquardt_core::minimize;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

#[pyclass(frozen, module = "marquardt._core")]
pub struct Options {
    pub inner: minimize::Options,
    pub threads: Option<usize>,
}

#[pymethods]
impl Options {
    #[new]
    #[pyo3(signature = (*, tolerance, max_evaluations, polish, acceleration, newton, scaling, radius_factor, threads, trace))]
    fn new(
        tolerance: f64,
        max_evaluations: Option<usize>,
        polish: bool,
        acceleration: bool,
        newton: bool,
        scaling: &str,
        radius_factor: f64,
        threads: Option<usize>,
        trace: bool,
    ) -> PyResult<Self> {
        let scaling = match scaling {
            "magnitude" => minimize::Scaling::Magnitude,
            "mix" => minimize::Scaling::Mix,
            other => return Err(PyValueError::new_err(format!("unknown scaling '{other}'"))),
        };
        let inner = minimize::Options {
            tolerance,
            max_evaluations,
            polish,
            acceleration,
            newton,
            scaling,
            radius_factor,
            trace,
        };
        Ok(Options { inner, threads })
    }
}
