//! `minimize_stream`: long data, in memory as they lie or block by block; `sum_block` and `minimize_sums`: data elsewhere.

use marquardt_core::cost::Cost;
use marquardt_core::evaluate::reduction::Reduction;
use marquardt_core::evaluate::stream::{self, Feed, Retrace, Stream, Whole};
use marquardt_core::evaluate::summed::{Pass, Summed, Sums, Wanted};
use marquardt_core::evaluate::{Beside, Failure, Linearization};
use marquardt_core::loss::Part;
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::curve::Programs;
use crate::loss::Loss;
use crate::options::Options;
use crate::outcome::Outcome;
use crate::penalty::{Rows, penalized};
use crate::run::{Observer, Start, broken};
use crate::series::Chunk;

/// Blocks that Python reads: `rewind()`, then `next()` until it gives None.
struct Reader(Py<PyAny>);

impl Feed for Reader {
    fn rewind(&mut self) -> Result<(), Failure> {
        Python::attach(|py| self.0.call_method0(py, "rewind").map(|_| ())).map_err(broken)
    }

    fn next(&mut self) -> Result<Option<stream::Chunk>, Failure> {
        Python::attach(|py| {
            let chunk: Option<Chunk> = self.0.call_method0(py, "next")?.extract(py)?;
            chunk.map(Chunk::into_rows).transpose()
        })
        .map_err(broken)
    }
}

/// Where rows come from: all at once, or an object with `rewind` and `next`.
#[derive(FromPyObject)]
pub enum Source {
    Whole(Chunk),
    Blocks(Py<PyAny>),
}

impl Source {
    fn into_feed(self) -> PyResult<Box<dyn Feed>> {
        Ok(match self {
            Source::Whole(chunk) => Box::new(Whole::new(chunk.into_rows()?)),
            Source::Blocks(reader) => Box::new(Reader(reader)),
        })
    }
}

/// Programs, and which of the columns their inputs are.
#[derive(FromPyObject)]
pub struct Version(Py<Programs>, Vec<usize>);

impl Version {
    fn into_core(self) -> stream::Version {
        stream::Version { programs: self.0.get().inner.clone(), picks: self.1 }
    }
}

/// `retrace(x)` gives the version that holds at x, or None where the model refuses it.
fn retraces(retrace: Py<PyAny>) -> Retrace {
    Box::new(move |x| {
        Python::attach(|py| {
            let found = retrace.call1(py, (x.to_vec().into_pyarray(py),))?;
            let version: Option<Version> = found.extract(py)?;
            Ok(version.map(Version::into_core))
        })
        .map_err(broken)
    })
}

fn solve<P: Pass + Send>(
    py: Python<'_>,
    pass: P,
    linear: Vec<usize>,
    penalty: Option<Rows>,
    start: Start,
) -> PyResult<Outcome> {
    let problem = Summed::new(pass, linear);
    match penalty {
        None => start.run_detached(py, &mut { problem }),
        Some(rows) => start.run_detached(py, &mut penalized(problem, rows)?),
    }
}

fn cost_of(loss: Option<Loss>) -> PyResult<Option<Cost>> {
    Ok(loss.map(Loss::into_cost).transpose()?.map(|(cost, _)| cost))
}

/// As `minimize_curve`, for a model with one output per row. Residuals are not kept, and `Outcome.f` are the parameters.
#[pyfunction]
#[pyo3(signature = (source, n_rows, version, values, free, retrace, x0, lower, upper, options, observer=None, penalty=None, loss=None, linear=Vec::new()))]
pub fn minimize_stream(
    py: Python<'_>,
    source: Source,
    n_rows: usize,
    version: Version,
    values: PyReadonlyArray1<f64>,
    free: Vec<usize>,
    retrace: Py<PyAny>,
    x0: PyReadonlyArray1<f64>,
    lower: PyReadonlyArray1<f64>,
    upper: PyReadonlyArray1<f64>,
    options: &Options,
    observer: Option<Observer>,
    penalty: Option<Rows>,
    loss: Option<Loss>,
    linear: Vec<usize>,
) -> PyResult<Outcome> {
    let (template, threads) = (values.as_slice()?.to_vec(), options.threads.unwrap_or(0));
    let (feed, cost, retrace) = (source.into_feed()?, cost_of(loss)?, retraces(retrace));
    let pass = Stream::new(feed, n_rows, version.into_core(), retrace, template, free, threads, cost)
        .map_err(PyValueError::new_err)?;
    let (x0, lower, upper) = (x0.as_slice()?, lower.as_slice()?, upper.as_slice()?);
    solve(py, pass, linear, penalty, Start { x0, lower, upper, options: &options.inner, observer })
}

// ------------------------------------------------------------------------------------------- sums made elsewhere

/// What is wanted, as Python says it: a word, another point or direction, picked parameters, and whether to linearize.
#[derive(FromPyObject)]
pub struct Request(String, Option<Vec<f64>>, Vec<usize>, bool);

impl Request {
    fn of(wanted: &Wanted) -> (&'static str, Option<Vec<f64>>, Vec<usize>, bool) {
        match *wanted {
            Wanted::Compare { before, linearize } => {
                ("compare", before.map(<[f64]>::to_vec), Vec::new(), linearize)
            }
            Wanted::Some(picked) => ("some", None, picked.to_vec(), true),
            Wanted::Part(Part::Excess) => ("excess", None, Vec::new(), true),
            Wanted::Part(Part::Shortfall) => ("shortfall", None, Vec::new(), true),
            Wanted::Part(Part::Model) => ("compare", None, Vec::new(), true),
            Wanted::Curvature(v) => ("curvature", Some(v.to_vec()), Vec::new(), false),
            Wanted::Hessian => ("hessian", None, Vec::new(), false),
            Wanted::Beside(other) => ("beside", Some(other.to_vec()), Vec::new(), false),
        }
    }

    fn wanted(&self) -> PyResult<Wanted<'_>> {
        let other = self.1.as_deref();
        Ok(match (self.0.as_str(), other) {
            ("compare", before) => Wanted::Compare { before, linearize: self.3 },
            ("some", _) => Wanted::Some(&self.2),
            ("excess", _) => Wanted::Part(Part::Excess),
            ("shortfall", _) => Wanted::Part(Part::Shortfall),
            ("curvature", Some(v)) => Wanted::Curvature(v),
            ("hessian", _) => Wanted::Hessian,
            ("beside", Some(other)) => Wanted::Beside(other),
            (word, _) => return Err(PyValueError::new_err(format!("no sums are called {word:?}"))),
        })
    }
}

type Vector<'py> = Bound<'py, PyArray1<f64>>;
/// Factor, gradient, rounding, (actual, rows, before, after, total, along, squares), Hessian.
type Numbers<'py> = (Vector<'py>, Vector<'py>, Vector<'py>, Vector<'py>, Vector<'py>);

fn numbers<'py>(py: Python<'py>, sums: &Sums) -> Numbers<'py> {
    let array = |v: &[f64]| v.to_vec().into_pyarray(py);
    let (l, c, b) = (&sums.linearization, &sums.change, &sums.beside);
    let scalars = [c.actual, c.rows as f64, c.before, c.after, c.total, b.along, b.squares];
    (array(&l.factor), array(&l.gradient), array(&l.rounding), array(&scalars), array(&sums.hessian))
}

/// Sums as Python hands them back.
#[derive(FromPyObject)]
pub struct Given<'py>(
    PyReadonlyArray1<'py, f64>,
    PyReadonlyArray1<'py, f64>,
    PyReadonlyArray1<'py, f64>,
    PyReadonlyArray1<'py, f64>,
    PyReadonlyArray1<'py, f64>,
);

impl Given<'_> {
    fn sums(&self) -> PyResult<Sums> {
        let array = |a: &PyReadonlyArray1<f64>| -> PyResult<Vec<f64>> { Ok(a.as_slice()?.to_vec()) };
        let &[actual, rows, before, after, total, along, squares] = self.3.as_slice()? else {
            return Err(PyValueError::new_err("7 sums of the residuals are needed"));
        };
        let (factor, gradient, rounding) = (array(&self.0)?, array(&self.1)?, array(&self.2)?);
        if factor.len() != (gradient.len() + 1).pow(2) || rounding.len() != gradient.len() {
            return Err(PyValueError::new_err("the factor, gradient and rounding do not fit one another"));
        }
        Ok(Sums {
            linearization: Linearization { factor, gradient, rounding, ..Linearization::default() },
            change: Reduction { actual, rows: rows as usize, before, after, total },
            beside: Beside { along, squares },
            hessian: array(&self.4)?,
            multiplied: false,
        })
    }
}

/// The sums over one block of rows at the free parameters x, by the programs that hold there.
#[pyfunction]
#[pyo3(signature = (chunk, versions, values, free, x, request, loss=None, threads=1))]
pub fn sum_block<'py>(
    py: Python<'py>,
    chunk: Chunk,
    versions: Vec<Version>,
    values: PyReadonlyArray1<f64>,
    free: Vec<usize>,
    x: PyReadonlyArray1<f64>,
    request: Request,
    loss: Option<Loss>,
    threads: usize,
) -> PyResult<Numbers<'py>> {
    let (chunk, template, x) = (chunk.into_rows()?, values.as_slice()?.to_vec(), x.as_slice()?.to_vec());
    let (n_rows, cost) = (chunk.n_rows, cost_of(loss)?);
    let mut versions = versions.into_iter().map(Version::into_core);
    let Some(first) = versions.next() else { return Err(PyValueError::new_err("no programs")) };
    let others_hold: Retrace = Box::new(|_| Ok(None));
    let mut pass =
        Stream::new(Box::new(Whole::new(chunk)), n_rows, first, others_hold, template, free, threads, cost)
            .map_err(PyValueError::new_err)?;
    versions.try_for_each(|v| pass.add(v)).map_err(PyValueError::new_err)?;
    let (wanted, mut sums) = (request.wanted()?, Sums::default());
    let done = py.detach(|| pass.sum(&x, wanted, &mut sums)).map_err(crate::run::raised)?;
    if done {
        Ok(numbers(py, &sums))
    } else {
        Err(PyValueError::new_err("the program does not hold at these parameters"))
    }
}

/// The sums over the rows of both.
#[pyfunction]
pub fn add_sums<'py>(py: Python<'py>, a: Given<'py>, b: Given<'py>) -> PyResult<Numbers<'py>> {
    let (mut a, b) = (a.sums()?, b.sums()?);
    if a.linearization.factor.len() != b.linearization.factor.len() || a.hessian.len() != b.hessian.len() {
        return Err(PyValueError::new_err("these are sums of different kinds"));
    }
    a.add(&b, &mut Vec::new());
    Ok(numbers(py, &a))
}

/// Sums that a Python function gets from elsewhere.
struct Elsewhere {
    total: Py<PyAny>,
    n_params: usize,
    n_residuals: usize,
    curved: (bool, bool),
    cost: Option<Cost>,
}

impl Pass for Elsewhere {
    fn n_params(&self) -> usize {
        self.n_params
    }

    fn n_residuals(&self) -> usize {
        self.n_residuals
    }

    fn is_curved(&self) -> (bool, bool) {
        self.curved
    }

    fn cost(&self) -> Option<&Cost> {
        self.cost.as_ref()
    }

    fn sum(&mut self, x: &[f64], wanted: Wanted, out: &mut Sums) -> Result<bool, Failure> {
        out.reset(&wanted, self.n_params);
        let (columns, size) = (out.linearization.gradient.len(), out.hessian.len());
        Python::attach(|py| {
            let found = self.total.call1(py, (x.to_vec().into_pyarray(py), Request::of(&wanted)))?;
            let Some(given) = found.extract::<Option<Given<'_>>>(py)? else { return Ok(false) };
            *out = given.sums()?;
            if out.linearization.gradient.len() != columns || out.hessian.len() != size {
                return Err(PyValueError::new_err(format!("sums for {columns} parameters are needed")));
            }
            Ok(true)
        })
        .map_err(broken)
    }
}

/// As `minimize_stream`, the sums made by `total(x, request)`; None where the model refuses x.
///
/// `curved` says whether it can sum up second derivatives along a direction, and all of them.
#[pyfunction]
#[pyo3(signature = (total, n_rows, curved, x0, lower, upper, options, observer=None, penalty=None, loss=None, linear=Vec::new()))]
pub fn minimize_sums(
    py: Python<'_>,
    total: Py<PyAny>,
    n_rows: usize,
    curved: (bool, bool),
    x0: PyReadonlyArray1<f64>,
    lower: PyReadonlyArray1<f64>,
    upper: PyReadonlyArray1<f64>,
    options: &Options,
    observer: Option<Observer>,
    penalty: Option<Rows>,
    loss: Option<Loss>,
    linear: Vec<usize>,
) -> PyResult<Outcome> {
    let (x0, lower, upper) = (x0.as_slice()?, lower.as_slice()?, upper.as_slice()?);
    let pass = Elsewhere { total, n_params: x0.len(), n_residuals: n_rows, curved, cost: cost_of(loss)? };
    solve(py, pass, linear, penalty, Start { x0, lower, upper, options: &options.inner, observer })
}
