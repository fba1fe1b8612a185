//! `fit_lanes`: many fits of one small traced model.

use marquardt_core::batch::{Data, Ends, Numbers, Table, TapeLanes, run};
use marquardt_core::tape::Level;
use numpy::PyUntypedArrayMethods;
use numpy::{
    IntoPyArray, PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArrayDyn,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::tape::Tape;

/// Numbers in one dimension, shared by all fits, or in two, a row for each.
type Numbers1or2<'py> = PyReadonlyArrayDyn<'py, f64>;

/// Observations, a row for each fit.
#[derive(FromPyObject)]
pub enum Response<'py> {
    Double(PyReadonlyArray2<'py, f64>),
    Single(PyReadonlyArray2<'py, f32>),
}

fn table<'a>(array: &'a Numbers1or2) -> PyResult<Table<'a>> {
    match array.ndim() {
        1 => Ok(Table::Shared(array.as_slice()?)),
        2 => Ok(Table::Own(array.as_slice()?)),
        n => Err(PyValueError::new_err(format!("an array has {n} dimensions instead of 1 or 2"))),
    }
}

/// Parameters (k, p), cost, converged, nfev, number of points, variances (k, p) and covariance (k, p, p) or None.
type Found<'py> = (
    Bound<'py, PyArrayDyn<f64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<bool>>,
    Bound<'py, PyArray1<i32>>,
    Bound<'py, PyArray1<i32>>,
    Bound<'py, PyArrayDyn<f64>>,
    Option<Bound<'py, PyArrayDyn<f64>>>,
);

/// Fits made in lanes by a tape of the model and its derivatives; False in "converged": to be made otherwise. None where
/// the tape has branches.
#[pyfunction]
#[pyo3(signature = (jacobian, columns, values, free, y, weights, mask, held, start, lower, upper, threads, covariance))]
pub fn fit_lanes<'py>(
    py: Python<'py>,
    jacobian: &Tape,
    columns: Vec<Numbers1or2<'py>>,
    values: PyReadonlyArray1<'py, f64>,
    free: Vec<usize>,
    y: Response<'py>,
    weights: Option<Numbers1or2<'py>>,
    mask: Option<PyReadonlyArray2<'py, bool>>,
    held: Option<PyReadonlyArray2<'py, f64>>,
    start: Numbers1or2<'py>,
    lower: Numbers1or2<'py>,
    upper: Numbers1or2<'py>,
    threads: usize,
    covariance: bool,
) -> PyResult<Option<Found<'py>>> {
    let (k, n_points, y) = match &y {
        Response::Double(y) => (y.shape()[0], y.shape()[1], Numbers::Double(y.as_slice()?)),
        Response::Single(y) => (y.shape()[0], y.shape()[1], Numbers::Single(y.as_slice()?)),
    };
    let data = Data {
        n_fits: k,
        n_points,
        y,
        columns: columns.iter().map(table).collect::<PyResult<_>>()?,
        weights: weights.as_ref().map(table).transpose()?,
        mask: mask.as_ref().map(|m| m.as_slice()).transpose()?,
        values: values.as_slice()?,
        held: held.as_ref().map(|h| h.as_slice()).transpose()?,
        free: &free,
        start: table(&start)?,
        lower: table(&lower)?,
        upper: table(&upper)?,
    };
    data.check().map_err(PyValueError::new_err)?;
    if TapeLanes::new(&jacobian.0, &data).is_none() {
        return Ok(None);
    }
    let p = free.len();
    let (mut x, mut cost) = (vec![f64::NAN; k * p], vec![f64::NAN; k]);
    let (mut converged, mut nfev, mut points) = (vec![false; k], vec![0; k], vec![0; k]);
    let mut variance = vec![f64::NAN; k * p];
    let mut whole = covariance.then(|| vec![f64::NAN; k * p * p]);
    let ends = Ends {
        x: &mut x,
        cost: &mut cost,
        converged: &mut converged,
        nfev: &mut nfev,
        n_points: &mut points,
        variance: &mut variance,
        covariance: whole.as_deref_mut(),
    };
    py.detach(|| {
        let make = || TapeLanes::new(&jacobian.0, &data).expect("was made above");
        run(&make, &data, Level::best(), threads, ends);
    });
    let whole = whole.map(|c| c.into_pyarray(py).reshape([k, p, p]).map(|c| c.to_dyn().clone()));
    Ok(Some((
        x.into_pyarray(py).reshape([k, p])?.to_dyn().clone(),
        cost.into_pyarray(py),
        converged.into_pyarray(py),
        nfev.into_pyarray(py),
        points.into_pyarray(py),
        variance.into_pyarray(py).reshape([k, p])?.to_dyn().clone(),
        whole.transpose()?,
    )))
}
