//! `Options`: what the caller may choose, checked by `marquardt.options`.

use marquardt_core::minimize::{self, Damping, Method, Scaling};
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
    #[pyo3(signature = (*, method, damping, tolerance, max_evaluations, polish, acceleration, newton, scaling,
        radius_factor, threads, retry, trace))]
    fn new(
        method: &str,
        damping: &str,
        tolerance: f64,
        max_evaluations: Option<usize>,
        polish: bool,
        acceleration: Option<bool>,
        newton: bool,
        scaling: Option<&str>,
        radius_factor: Option<f64>,
        threads: Option<usize>,
        retry: bool,
        trace: bool,
    ) -> PyResult<Self> {
        let inner = minimize::Options {
            method: find("method", method, METHODS)?,
            damping: find("damping", damping, DAMPINGS)?,
            tolerance,
            max_evaluations,
            polish,
            acceleration,
            newton,
            scaling: scaling.map(|name| find("scaling", name, SCALINGS)).transpose()?,
            radius_factor,
            retry,
            trace,
        };
        Ok(Options { inner, threads })
    }
}

const METHODS: &[(&str, Method)] = &[
    ("auto", Method::Auto),
    ("gauss-newton", Method::GaussNewton),
    ("gradient-descent", Method::GradientDescent),
    ("levenberg", Method::Levenberg),
    ("marquardt", Method::Marquardt),
    ("more", Method::More),
    ("dogleg", Method::Dogleg),
    ("newton", Method::Newton),
];

const DAMPINGS: &[(&str, Damping)] =
    &[("nielsen", Damping::Nielsen), ("classic", Damping::Classic), ("delayed", Damping::Delayed)];

const SCALINGS: &[(&str, Scaling)] = &[
    ("magnitude", Scaling::Magnitude),
    ("mix", Scaling::Mix),
    ("running-max", Scaling::RunningMax),
    ("columns", Scaling::Columns),
    ("identity", Scaling::Identity),
];

fn find<T: Copy>(what: &str, name: &str, table: &[(&str, T)]) -> PyResult<T> {
    let row = table.iter().find(|(known, _)| *known == name);
    row.map(|(_, value)| *value).ok_or_else(|| PyValueError::new_err(format!("unknown {what} '{name}'")))
}
