//! `fit_lanes`: many fits of one small traced model.

use marquardt_core::batch::{self, Data, Each, End, Numbers, Table, Way, run};

use marquardt_core::cost::Cost;
use marquardt_core::evaluate::Failure;
use marquardt_core::minimize::spare;
use marquardt_core::tape::Level;
use numpy::PyUntypedArrayMethods;
use numpy::{
    IntoPyArray, PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2,
    PyReadonlyArrayDyn, PyReadwriteArray1, PyReadwriteArray2, PyReadwriteArray3,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::curve::Programs;
use crate::grid::Grid;
use crate::loss::{Loss, Plan};
use crate::options::Options;
use crate::run::Signals;
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

/// The arrays of a job.
#[derive(FromPyObject)]
pub struct Batch<'py> {
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
    scaled: bool,
}

impl Batch<'_> {
    fn data(&self, cost: Option<&Cost>) -> PyResult<Data<'_>> {
        let (shape, y) = match &self.y {
            Response::Double(y) => (y.shape(), Numbers::Double(y.as_slice()?)),
            Response::Single(y) => (y.shape(), Numbers::Single(y.as_slice()?)),
        };
        let data = Data {
            n_fits: shape[0],
            n_points: shape[1],
            y,
            columns: self.columns.iter().map(table).collect::<PyResult<_>>()?,
            weights: self.weights.as_ref().map(table).transpose()?,
            mask: self.mask.as_ref().map(|m| m.as_slice()).transpose()?,
            values: self.values.as_slice()?,
            held: self.held.as_ref().map(|h| h.as_slice()).transpose()?,
            free: &self.free,
            start: table(&self.start)?,
            lower: table(&self.lower)?,
            upper: table(&self.upper)?,
            family: match cost {
                Some(Cost::Likelihood(family)) => Some(*family),
                _ => None,
            },
            scaled: self.scaled,
        };
        data.check().map_err(PyValueError::new_err)?;
        Ok(data)
    }
}

/// Where ends are written, arrays of the caller with a row for each fit: parameters, cost, sum of squares or Pearson's
/// chi-square, status, evaluations, points, rank, standard errors and, where it is wanted, covariance.
#[derive(FromPyObject)]
pub struct Ends<'py> {
    x: PyReadwriteArray2<'py, f64>,
    cost: PyReadwriteArray1<'py, f64>,
    rss: PyReadwriteArray1<'py, f64>,
    status: PyReadwriteArray1<'py, i8>,
    nfev: PyReadwriteArray1<'py, i32>,
    njev: PyReadwriteArray1<'py, i32>,
    n_points: PyReadwriteArray1<'py, i32>,
    rank: PyReadwriteArray1<'py, i16>,
    stderr: PyReadwriteArray2<'py, f64>,
    covariance: Option<PyReadwriteArray3<'py, f64>>,
}

impl Ends<'_> {
    fn slices(&mut self, k: usize, p: usize, in_doubt: i8) -> PyResult<batch::Ends<'_>> {
        let ends = batch::Ends {
            x: self.x.as_slice_mut()?,
            cost: self.cost.as_slice_mut()?,
            rss: self.rss.as_slice_mut()?,
            status: self.status.as_slice_mut()?,
            in_doubt,
            nfev: self.nfev.as_slice_mut()?,
            njev: self.njev.as_slice_mut()?,
            n_points: self.n_points.as_slice_mut()?,
            rank: self.rank.as_slice_mut()?,
            stderr: self.stderr.as_slice_mut()?,
            covariance: self.covariance.as_mut().map(|c| c.as_slice_mut()).transpose()?,
        };
        ends.check(k, p).map_err(PyValueError::new_err)?;
        Ok(ends)
    }
}

/// Fits made in lanes by a tape of the model and its derivatives; those with the status `in_doubt` are to be made
/// otherwise. False where the tape has branches, or for a loss. With `grid` the sums are those of products on it; False also
/// where fits have points of their own.
#[pyfunction]
#[pyo3(signature = (jacobian, batch, loss, threads, ends, in_doubt, single, grid=None))]
pub fn fit_lanes(
    py: Python<'_>,
    jacobian: &Tape,
    batch: Batch<'_>,
    loss: Option<Loss>,
    threads: usize,
    mut ends: Ends<'_>,
    in_doubt: i8,
    single: bool,
    grid: Option<&Grid>,
) -> PyResult<bool> {
    let cost = loss.map(Loss::into_cost).transpose()?.map(|(cost, _)| cost);
    if matches!(cost, Some(Cost::Robust(_))) {
        return Ok(false);
    }
    let data = batch.data(cost.as_ref())?;
    let ends = ends.slices(data.n_fits, data.free.len(), in_doubt)?;
    let way = grid.map_or(Way::Points(&jacobian.0), |grid| Way::Products(&grid.0));
    let run = if single { run::<f32> } else { run::<f64> };
    Ok(py.detach(|| run(way, &data, Level::best(), threads, ends)))
}

/// Where fits ended on the QR path: parameters (k, p), cost, status, nfev, njev, points, rank, which parameters are at
/// bounds (k, p), the factor of [J f] (k, p + 1, p + 1), and (J'J)^-1 (k, p, p), NaN where there is none. With a plan the
/// factor is that of J'aJ, the inverse the sandwich, and `inner` (k, p, p) what stands inside it.
#[derive(IntoPyObject)]
pub struct EachFound<'py> {
    x: Bound<'py, PyArrayDyn<f64>>,
    cost: Bound<'py, PyArray1<f64>>,
    rss: Bound<'py, PyArray1<f64>>,
    status: Bound<'py, PyArray1<i8>>,
    nfev: Bound<'py, PyArray1<i32>>,
    njev: Bound<'py, PyArray1<i32>>,
    n_points: Bound<'py, PyArray1<i32>>,
    rank: Bound<'py, PyArray1<i16>>,
    active: Bound<'py, PyArrayDyn<i8>>,
    factor: Bound<'py, PyArrayDyn<f64>>,
    inverse: Bound<'py, PyArrayDyn<f64>>,
    inner: Option<Bound<'py, PyArrayDyn<f64>>>,
}

/// Fits at the positions `which` of a batch, one by one in threads. Status -1: it cannot be evaluated; -2: Ctrl-C came
/// before it.
#[pyfunction]
pub fn fit_each<'py>(
    py: Python<'py>,
    programs: &Programs,
    batch: Batch<'py>,
    which: Vec<usize>,
    loss: Option<Loss>,
    plan: Option<Plan>,
    linear: Vec<usize>,
    options: &Options,
    threads: usize,
) -> PyResult<EachFound<'py>> {
    let cost = loss.map(Loss::into_cost).transpose()?.map(|(cost, _)| cost);
    let data = batch.data(cost.as_ref())?;
    if which.iter().any(|&fit| fit >= data.n_fits) {
        return Err(PyValueError::new_err("a position is out of range"));
    }
    let (k, p) = (which.len(), data.free.len());
    let each = Each {
        programs: programs.inner.clone(),
        data: &data,
        cost,
        robust: plan.map(Plan::into_plan).transpose()?,
        linear,
        options: &options.inner,
        level: Level::best(),
    };
    let signals = Signals::new();
    let ends = py.detach(|| each.run(&which, threads, &|| signals.have_stopped()));
    let n = p + 1;
    let (mut x, mut cost, mut status) = (vec![f64::NAN; k * p], vec![f64::NAN; k], vec![-1_i8; k]);
    let (mut nfev, mut njev, mut points) = (vec![0; k], vec![0; k], vec![0; k]);
    let mut rss = vec![f64::NAN; k];
    let (mut rank, mut active) = (vec![0_i16; k], vec![0_i8; k * p]);
    let (mut factor, mut inverse) = (vec![f64::NAN; k * n * n], vec![f64::NAN; k * p * p]);
    let mut inside = each.robust.is_some().then(|| vec![f64::NAN; k * p * p]);
    for (i, end) in ends.into_iter().enumerate() {
        let End { outcome: o, rss: squares, n_points, covariance, inner } = match end {
            Ok(end) => end,
            Err(Failure::Broken(_)) => continue,
            Err(Failure::Interrupted) => {
                status[i] = -2;
                continue;
            }
        };
        x[i * p..][..p].copy_from_slice(&o.x);
        (cost[i], status[i], rank[i]) = (o.cost, o.status as i8, o.rank as i16);
        rss[i] = squares;
        (nfev[i], njev[i], points[i]) = (o.nfev as i32, o.njev as i32, n_points as i32);
        active[i * p..][..p].copy_from_slice(&o.active);
        factor[i * n * n..][..n * n].copy_from_slice(&o.linearization.factor);
        if let Some(found) = covariance {
            inverse[i * p * p..][..p * p].copy_from_slice(&found);
        }
        if let (Some(inside), Some(found)) = (&mut inside, inner) {
            inside[i * p * p..][..p * p].copy_from_slice(&found);
        }
        spare::give(o.f);
    }
    Ok(EachFound {
        x: shaped(py, x, &[k, p])?,
        cost: cost.into_pyarray(py),
        rss: rss.into_pyarray(py),
        status: status.into_pyarray(py),
        nfev: nfev.into_pyarray(py),
        njev: njev.into_pyarray(py),
        n_points: points.into_pyarray(py),
        rank: rank.into_pyarray(py),
        active: shaped(py, active, &[k, p])?,
        factor: shaped(py, factor, &[k, n, n])?,
        inverse: shaped(py, inverse, &[k, p, p])?,
        inner: inside.map(|inside| shaped(py, inside, &[k, p, p])).transpose()?,
    })
}

fn shaped<'py, T: numpy::Element>(
    py: Python<'py>,
    values: Vec<T>,
    shape: &[usize],
) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    values.into_pyarray(py).reshape(shape.to_vec())
}
