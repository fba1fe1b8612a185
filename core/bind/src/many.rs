//! `minimize_curve_many`: many starts of a traced model, in threads.

use marquardt_core::evaluate::Evaluate;
use marquardt_core::minimize::{self, minimize_many};
use numpy::{PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::curve::Versions;
use crate::options::Options;
use crate::outcome::Outcome;
use crate::penalty::{Rows, penalized};
use crate::run::{Signals, raised};

/// As `minimize_curve`, from each row of `starts`, by as many threads as wanted; the ends in the order of the rows.
#[pyfunction]
#[pyo3(signature = (families, values, free, retrace, starts, lower, upper, options, threads, penalty=None, loss=None, linear=Vec::new()))]
pub fn minimize_curve_many(
    py: Python<'_>,
    families: &Bound<'_, PyAny>,
    values: PyReadonlyArray1<f64>,
    free: Vec<usize>,
    retrace: Py<PyAny>,
    starts: PyReadonlyArray2<f64>,
    lower: PyReadonlyArray1<f64>,
    upper: PyReadonlyArray1<f64>,
    options: &Options,
    threads: usize,
    penalty: Option<Rows>,
    loss: Option<Bound<'_, PyAny>>,
    linear: Vec<usize>,
) -> PyResult<Vec<Outcome>> {
    if starts.shape()[1] != free.len() {
        return Err(PyValueError::new_err("a start has another length than the free parameters"));
    }
    let copies = threads.clamp(1, starts.shape()[0].max(1));
    let mut problems = Vec::with_capacity(copies);
    for _ in 0..copies {
        let retrace = retrace.clone_ref(py);
        problems.push(Versions::new(
            families.extract()?,
            values.as_slice()?,
            free.clone(),
            retrace,
            1,
            loss.as_ref().map(|loss| loss.extract()).transpose()?,
            linear.clone(),
        )?);
    }
    let (starts, lower, upper) = (starts.as_slice()?, lower.as_slice()?, upper.as_slice()?);
    let Some(rows) = penalty else { return run(py, problems, starts, lower, upper, &options.inner) };
    let problems = problems.into_iter().map(|p| penalized(p, rows.clone())).collect::<PyResult<_>>()?;
    run(py, problems, starts, lower, upper, &options.inner)
}

/// Releases the GIL and watches for Ctrl-C.
fn run<E: Evaluate + Send>(
    py: Python<'_>,
    problems: Vec<E>,
    starts: &[f64],
    lower: &[f64],
    upper: &[f64],
    options: &minimize::Options,
) -> PyResult<Vec<Outcome>> {
    let signals = Signals::new();
    let ends =
        py.detach(|| minimize_many(problems, starts, lower, upper, options, &|| signals.have_stopped()));
    ends.into_iter().map(|end| end.map(Outcome::from).map_err(raised)).collect()
}
