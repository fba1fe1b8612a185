//! `minimize_callback`: residuals and derivatives evaluated in Python.

use marquardt_core::evaluate::Failure;
use marquardt_core::evaluate::callback::{Callback, Curvature, Fill, FillWith};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::loss::Loss;
use crate::options::Options;
use crate::outcome::Outcome;
use crate::penalty::{Rows, penalized};
use crate::run::{Observer, Start, broken};

fn array<'py>(py: Python<'py>, values: &[f64]) -> Bound<'py, PyArray1<f64>> {
    values.to_vec().into_pyarray(py)
}

/// Copies what a callback returned, checking its size.
fn take(result: PyResult<Bound<'_, PyAny>>, what: &str, out: &mut [f64]) -> Result<(), Failure> {
    let copy = || -> PyResult<()> {
        let found: PyReadonlyArrayDyn<f64> = result?.extract()?;
        let size = found.as_array().len();
        if size != out.len() {
            let message = format!("the {what} have {size} values where {} are needed", out.len());
            return Err(PyValueError::new_err(message));
        }
        if found.is_c_contiguous() {
            out.copy_from_slice(found.as_slice()?);
        } else {
            // Row by row, however it lies in memory: a transposed Jacobian is contiguous too.
            out.iter_mut().zip(found.as_array()).for_each(|(out, value)| *out = *value);
        }
        Ok(())
    };
    copy().map_err(broken)
}

/// Minimizes half the sum of squares of `residuals(x)`, shape (m,).
///
/// `jacobian(x, f)` gives (m, p); `curvature(x, v)` the second derivative along v, (m,), or None: by differences;
/// `hessian(x, f)` gives sum_i f_i H_i, (p, p), or None; an `approximate` one serves steps alone. `observed` is
/// |y| * w, for the rounding certificate. The penalty's rows stand beneath the residuals; a loss is that of the
/// residuals alone, and with a family `residuals` are model - y, `observed` is y; `linear` parameters may be
/// projected out.
#[pyfunction]
#[pyo3(signature = (residuals, jacobian, curvature, hessian, m, observed, x0, lower, upper, options, observer=None, penalty=None, loss=None, linear=Vec::new(), approximate=false))]
pub fn minimize_callback(
    py: Python<'_>,
    residuals: Bound<'_, PyAny>,
    jacobian: Bound<'_, PyAny>,
    curvature: Option<Bound<'_, PyAny>>,
    hessian: Option<Bound<'_, PyAny>>,
    m: usize,
    observed: Option<PyReadonlyArray1<f64>>,
    x0: PyReadonlyArray1<f64>,
    lower: PyReadonlyArray1<f64>,
    upper: PyReadonlyArray1<f64>,
    options: &Options,
    observer: Option<Observer>,
    penalty: Option<Rows>,
    loss: Option<Loss>,
    linear: Vec<usize>,
    approximate: bool,
) -> PyResult<Outcome> {
    let (x0, lower, upper) = (x0.as_slice()?, lower.as_slice()?, upper.as_slice()?);
    let fill_residuals: Fill =
        Box::new(move |x, out| take(residuals.call1((array(py, x),)), "residuals", out));
    let fill_jacobian: FillWith =
        Box::new(move |x, f, out| take(jacobian.call1((array(py, x), array(py, f))), "derivatives", out));
    let curvature = match curvature {
        None => Curvature::Differences(0.02),
        Some(along) => Curvature::Exact(Box::new(move |x, v, out| {
            take(along.call1((array(py, x), array(py, v))), "second derivatives", out)
        })),
    };
    let mut problem =
        Callback::new(x0.len(), m, fill_residuals, fill_jacobian, curvature).with_linear(linear);
    if let Some(hessian) = hessian {
        let fill: FillWith = Box::new(move |x, f, out| {
            take(hessian.call1((array(py, x), array(py, f))), "second derivatives", out)
        });
        problem =
            if approximate { problem.with_approximate_hessian(fill) } else { problem.with_hessian(fill) };
    }
    if let Some(observed) = observed {
        problem = problem.with_observed(observed.as_slice()?.to_vec());
    }
    if let Some(loss) = loss {
        let (cost, cases) = loss.into_cost()?;
        problem = problem
            .with_cost(Some(cost), cases.map(|c| c.as_ref().to_vec()))
            .map_err(PyValueError::new_err)?;
    }
    let start = Start { x0, lower, upper, options: &options.inner, observer };
    match penalty {
        None => start.run_attached(&mut problem),
        Some(rows) => start.run_attached(&mut penalized(problem, rows)?),
    }
}
