//! `Outcome`: where a minimization ended. Arrays are converted when they are asked for.

use marquardt_core::covariance;
use marquardt_core::minimize::{self, Row};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;

#[pyclass(frozen, module = "marquardt._core")]
pub struct Outcome(pub minimize::Outcome);

impl Drop for Outcome {
    fn drop(&mut self) {
        minimize::spare::give(std::mem::take(&mut self.0.f));
    }
}

impl From<minimize::Outcome> for Outcome {
    fn from(inner: minimize::Outcome) -> Self {
        Outcome(inner)
    }
}

fn matrix<'py>(py: Python<'py>, flat: &[f64], columns: usize) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let rows = flat.len().checked_div(columns).unwrap_or(0);
    flat.to_vec().into_pyarray(py).reshape([rows, columns])
}

/// One number of every trace row.
type TraceColumns = Vec<(&'static str, Vec<f64>)>;

#[pymethods]
impl Outcome {
    #[getter]
    fn status(&self) -> usize {
        self.0.status as usize
    }

    #[getter]
    fn x<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.0.x.clone().into_pyarray(py)
    }

    #[getter]
    fn f<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.0.f.clone().into_pyarray(py)
    }

    /// Every `step`-th residual, without a copy of all of them.
    fn every<'py>(&self, py: Python<'py>, step: usize) -> Bound<'py, PyArray1<f64>> {
        self.0.f.iter().copied().step_by(step.max(1)).collect::<Vec<f64>>().into_pyarray(py)
    }

    #[getter]
    fn cost(&self) -> f64 {
        self.0.cost
    }

    #[getter]
    fn factor<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        matrix(py, &self.0.linearization.factor, self.0.x.len() + 1)
    }

    /// (J'J)^-1, (p, p), where the data determine every parameter and none is held at a bound; else None.
    #[getter]
    fn inverse_gram<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyArray2<f64>>>> {
        let p = self.0.x.len();
        if self.0.rank < p || self.0.active.iter().any(|a| *a != 0) {
            return Ok(None);
        }
        let inverse = covariance::inverse_gram(&self.0.linearization.factor, p);
        inverse.map(|inverse| matrix(py, &inverse, p)).transpose()
    }

    #[getter]
    fn gradient<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.0.linearization.gradient.clone().into_pyarray(py)
    }

    #[getter]
    fn rounding<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.0.linearization.rounding.clone().into_pyarray(py)
    }

    #[getter]
    fn null_vectors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        matrix(py, &self.0.null_vectors.concat(), self.0.x.len())
    }

    #[getter]
    fn active<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i8>> {
        self.0.active.clone().into_pyarray(py)
    }

    #[getter]
    fn offset(&self) -> f64 {
        self.0.offset
    }

    #[getter]
    fn tolerance(&self) -> f64 {
        self.0.tolerance
    }

    #[getter]
    fn scaled_gradient(&self) -> f64 {
        self.0.scaled_gradient
    }

    #[getter]
    fn rank(&self) -> usize {
        self.0.rank
    }

    #[getter]
    fn condition(&self) -> f64 {
        self.0.condition()
    }

    #[getter]
    fn nfev(&self) -> usize {
        self.0.nfev
    }

    #[getter]
    fn njev(&self) -> usize {
        self.0.njev
    }

    #[getter]
    fn n_accepted(&self) -> usize {
        self.0.n_accepted
    }

    /// Why the search ended: a position in `marquardt.solve.trace.REASONS`.
    #[getter]
    fn reason(&self) -> usize {
        self.0.reason as usize
    }

    /// sum f_i H_i at x, (p, p), or None where it was not needed or cannot be had.
    #[getter]
    fn hessian<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyArray2<f64>>>> {
        self.0.hessian.as_ref().map(|flat| matrix(py, flat, self.0.x.len())).transpose()
    }

    /// Direction of negative curvature in units of x, (p,), or empty.
    #[getter]
    fn descent<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.0.descent.clone().into_pyarray(py)
    }

    #[getter]
    fn runaway(&self) -> Vec<usize> {
        self.0.runaway.clone()
    }

    #[getter]
    fn jumps(&self) -> bool {
        self.0.jumps
    }

    #[getter]
    fn newton_step(&self) -> Option<f64> {
        self.0.newton_step
    }

    #[getter]
    fn escapes(&self) -> usize {
        self.0.escapes
    }

    /// The trace column by column, in the order of the trial steps.
    #[getter]
    fn trace(&self) -> TraceColumns {
        let column = |value: fn(&Row) -> f64| self.0.trace.rows.iter().map(value).collect();
        vec![
            ("iteration", column(|r| r.iteration as f64)),
            ("cost", column(|r| r.cost)),
            ("trial_cost", column(|r| r.trial_cost)),
            ("actual", column(|r| r.actual)),
            ("predicted", column(|r| r.predicted)),
            ("damping", column(|r| r.damping)),
            ("radius", column(|r| r.radius)),
            ("step", column(|r| r.step)),
            ("gradient", column(|r| r.gradient)),
            ("offset", column(|r| r.offset)),
            ("model", column(|r| f64::from(r.kind as i32))),
            ("verdict", column(|r| f64::from(r.verdict as i32))),
        ]
    }

    /// Parameters of the trials, (rows, p).
    #[getter]
    fn trials<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        matrix(py, &self.0.trace.trials, self.0.x.len())
    }

    /// At each Jacobian x (p), D (p) and the triangular factor of [J f] ((p+1)^2), one after the other.
    #[getter]
    fn models<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let p = self.0.x.len();
        matrix(py, &self.0.trace.models, 2 * p + (p + 1) * (p + 1))
    }

    /// Trial steps beyond the room for the trace.
    #[getter]
    fn trace_dropped(&self) -> usize {
        self.0.trace.dropped
    }
}
