//! `minimize_curve`: a traced model, evaluated by tapes in the core.

use std::borrow::Cow;
use std::sync::Arc;

use marquardt_core::cost::Cost;
use marquardt_core::evaluate::curve::{self, Curve, Values};
use marquardt_core::evaluate::reduction::Reduction;
use marquardt_core::evaluate::{Evaluate, Failure, Linearization, checks};

use marquardt_core::tape::Level;
use numpy::{IntoPyArray, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::Column;
use crate::loss::Loss;
use crate::options::Options;
use crate::outcome::Outcome;
use crate::penalty::{Rows, penalized};
use crate::run::{Observer, Start, broken};
use crate::tape::Tape;

/// The tapes of one residual family: value, Jacobian, second derivative along a direction, Hessian with its pairs.
#[pyclass(frozen, module = "marquardt._core")]
pub struct Programs {
    pub inner: Arc<curve::Programs>,
    n_outputs: usize,
}

/// A tape of second derivatives, and the pairs of free parameters they belong to.
type Hessian<'py> = (PyRef<'py, Tape>, Vec<(u32, u32)>);

#[pymethods]
impl Programs {
    #[new]
    #[pyo3(signature = (value, jacobian, curvature=None, hessian=None))]
    fn new(value: &Tape, jacobian: &Tape, curvature: Option<&Tape>, hessian: Option<Hessian<'_>>) -> Self {
        let n_outputs = value.0.n_outputs();
        let inner = Arc::new(curve::Programs {
            value: value.0.clone(),
            jacobian: jacobian.0.clone(),
            curvature: curvature.map(|tape| tape.0.clone()),
            hessian: hessian.map(|(tape, pairs)| (tape.0.clone(), pairs)),
        });
        Programs { inner, n_outputs }
    }
}

/// One residual family with its data: programs, columns, observations, weights, number of rows.
#[derive(FromPyObject)]
struct Block(Py<Programs>, Vec<Column>, Option<Column>, Option<Column>, usize);

/// A traced version of the model: its families, and the position in the data of each of their residuals.
#[derive(FromPyObject)]
pub struct Families(Vec<Block>, Option<Vec<usize>>);

fn values(column: Column) -> Values {
    Arc::new(column)
}

/// One version ready to run.
struct Version {
    curve: Curve,
    order: Option<Vec<usize>>,
}

/// A model with a version for every branch taken so far. Residuals are kept in data order, so that
/// versions may be exchanged between a trial and its acceptance.
pub struct Versions {
    template: Vec<f64>,
    free: Vec<usize>,
    threads: usize,
    cost: Option<Cost>,
    /// Parameters that may be projected out: those in which every version is linear.
    linear: Vec<usize>,
    versions: Vec<Version>,
    active: usize,
    /// Called with x where no version holds: the one that does, or None where the model refuses x.
    retrace: Py<PyAny>,
    scratch: Vec<f64>,
}

fn picked(f: &[f64], order: &[usize]) -> Vec<f64> {
    order.iter().map(|&i| f[i]).collect()
}

impl Versions {
    pub fn new(
        families: Families,
        values: &[f64],
        free: Vec<usize>,
        retrace: Py<PyAny>,
        threads: usize,
        loss: Option<Loss>,
        linear: Vec<usize>,
    ) -> PyResult<Self> {
        let mut problem = Versions {
            template: values.to_vec(),
            free,
            threads,
            cost: loss.map(Loss::into_cost).transpose()?.map(|(cost, _)| cost),
            linear,
            versions: Vec::new(),
            active: 0,
            retrace,
            scratch: Vec::new(),
        };
        problem.add(families)?;
        Ok(problem)
    }

    fn add(&mut self, families: Families) -> PyResult<()> {
        let likelihood = matches!(self.cost, Some(Cost::Likelihood(_)));
        let blocks = families.0.into_iter().map(|Block(programs, columns, y, w, n_rows)| {
            let programs = programs.get();
            let (w, cases) = if likelihood { (None, w) } else { (w, None) };
            curve::Block {
                programs: programs.inner.clone(),
                columns: columns.into_iter().map(values).collect(),
                y: y.map(values),
                w: w.map(values),
                cases: cases.map(values),
                n_rows,
                n_outputs: programs.n_outputs,
            }
        });
        let blocks = blocks.collect();
        let curve = Curve::new(blocks, self.template.clone(), self.free.clone(), self.threads, Level::best())
            .map_err(PyValueError::new_err)?
            .with_cost(self.cost.clone())
            .map_err(PyValueError::new_err)?;
        if families.1.as_ref().is_some_and(|order| order.len() != curve.n_residuals()) {
            return Err(PyValueError::new_err("the data order has another length than the residuals"));
        }
        self.versions.push(Version { curve, order: families.1 });
        Ok(())
    }

    /// Makes the version that holds at `x` the active one; false where the model refuses `x`.
    fn select(&mut self, x: &[f64]) -> Result<bool, Failure> {
        if self.versions[self.active].curve.guards_hold(x) {
            return Ok(true);
        }
        if let Some(found) = self.versions.iter_mut().position(|v| v.curve.guards_hold(x)) {
            self.active = found;
            return Ok(true);
        }
        Python::attach(|py| {
            let at = x.to_vec().into_pyarray(py);
            let Some(families) = self.retrace.call1(py, (at,))?.extract::<Option<Families>>(py)? else {
                return Ok(false);
            };
            self.add(families)?;
            self.active = self.versions.len() - 1;
            Ok(true)
        })
        .map_err(broken)
    }

    /// The active curve, and `f` in its order.
    fn with_curve<T>(&mut self, f: &[f64], run: impl FnOnce(&mut Curve, &[f64]) -> T) -> T {
        let Version { curve, order } = &mut self.versions[self.active];
        match order {
            None => run(curve, f),
            Some(order) => {
                self.scratch.clear();
                self.scratch.extend(order.iter().map(|&i| f[i]));
                run(curve, &self.scratch)
            }
        }
    }
}

impl Evaluate for Versions {
    fn n_params(&self) -> usize {
        self.free.len()
    }

    fn n_residuals(&self) -> usize {
        self.versions[0].curve.n_residuals()
    }

    fn residuals(&mut self, x: &[f64], f: &mut [f64]) -> Result<(), Failure> {
        if !self.select(x)? {
            f.fill(f64::NAN);
            return Ok(());
        }
        let Version { curve, order } = &mut self.versions[self.active];
        let Some(order) = order else { return curve.residuals(x, f) };
        self.scratch.resize(f.len(), 0.0);
        curve.residuals(x, &mut self.scratch)?;
        for (&i, &value) in order.iter().zip(&self.scratch) {
            f[i] = value;
        }
        Ok(())
    }

    fn compare(
        &mut self,
        x: &[f64],
        before: Option<&[f64]>,
        f: &mut [f64],
        out: Option<&mut Linearization>,
    ) -> Result<(Reduction, bool), Failure> {
        if self.select(x)? && self.versions[self.active].order.is_none() {
            return self.versions[self.active].curve.compare(x, before, f, out);
        }
        self.residuals(x, f)?;
        let Version { curve, order } = &self.versions[self.active];
        let before = before.unwrap_or(f);
        let change = match order {
            Some(order) if self.cost.is_some() => curve.reduction(&picked(before, order), &picked(f, order)),
            _ => curve.reduction(before, f), // squares may be added in any order
        };
        Ok((change, false))
    }

    fn linearize(&mut self, x: &[f64], f: &[f64], out: &mut Linearization) -> Result<(), Failure> {
        self.select(x)?;
        self.with_curve(f, |curve, f| curve.linearize(x, f, out))
    }

    fn curvature_along(&mut self, x: &[f64], f: &[f64], v: &[f64], out: &mut [f64]) -> Result<bool, Failure> {
        self.select(x)?;
        self.with_curve(f, |curve, f| curve.curvature_along(x, f, v, out))
    }

    fn residual_hessian(&mut self, x: &[f64], f: &[f64], out: &mut [f64]) -> Result<bool, Failure> {
        self.select(x)?;
        self.with_curve(f, |curve, f| curve.residual_hessian(x, f, out))
    }

    fn linear(&self) -> &[usize] {
        &self.linear
    }

    fn linearize_linear(
        &mut self,
        x: &[f64],
        f: &mut [f64],
        out: &mut Linearization,
    ) -> Result<bool, Failure> {
        if !self.select(x)? || self.versions[self.active].order.is_some() {
            return Ok(false);
        }
        self.versions[self.active].curve.linearize_by_some(x, f, &self.linear, out);
        Ok(true)
    }

    fn slopes<'f>(&self, f: &'f [f64]) -> Cow<'f, [f64]> {
        let Version { curve, order } = &self.versions[self.active];
        match order {
            Some(order) if self.cost.is_some() => {
                let ordered = picked(f, order);
                let mut slopes = vec![0.0; f.len()];
                order.iter().zip(&*curve.slopes(&ordered)).for_each(|(&i, &slope)| slopes[i] = slope);
                slopes.into()
            }
            _ => curve.slopes(f),
        }
    }

    fn has_edge(&self) -> bool {
        self.versions[self.active].curve.has_edge()
    }

    fn subtract_excess(&mut self, x: &[f64], f: &[f64], out: &mut [f64]) -> Result<(), Failure> {
        self.select(x)?;
        self.with_curve(f, |curve, f| curve.subtract_excess(x, f, out))
    }
}

/// The first element where a traced model is not what the plain function gives, beyond rounding; or None.
#[pyfunction]
pub fn first_difference(
    plain: PyReadonlyArray1<f64>,
    traced: PyReadonlyArray1<f64>,
) -> PyResult<Option<usize>> {
    Ok(checks::first_difference(plain.as_slice()?, traced.as_slice()?))
}

/// Is no value NaN or infinite?
#[pyfunction]
pub fn all_finite(values: PyReadonlyArray1<f64>) -> PyResult<bool> {
    Ok(checks::all_finite(values.as_slice()?))
}

/// Minimizes half the sum of squares of ``(model - y) * w``, or of a loss of them, and of the penalty's rows, over the
/// free parameters.
#[pyfunction]
#[pyo3(signature = (families, values, free, retrace, x0, lower, upper, options, observer=None, penalty=None, loss=None, linear=Vec::new()))]
pub fn minimize_curve(
    py: Python<'_>,
    families: Families,
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
    let threads = options.threads.unwrap_or(0);
    let mut problem = Versions::new(families, values.as_slice()?, free, retrace, threads, loss, linear)?;
    let (x0, lower, upper) = (x0.as_slice()?, lower.as_slice()?, upper.as_slice()?);
    let start = Start { x0, lower, upper, options: &options.inner, observer };
    match penalty {
        None => start.run_detached(py, &mut problem),
        Some(rows) => start.run_detached(py, &mut penalized(problem, rows)?),
    }
}
