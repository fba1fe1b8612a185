//! One run of the minimizer: releases the GIL, watches for Ctrl-C, passes progress on.

use std::time::{Duration, Instant};

use marquardt_core::evaluate::{Evaluate, Failure};
use marquardt_core::minimize::{self, Control, Progress, minimize};
use numpy::{IntoPyArray, PyArray1};
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError};
use pyo3::prelude::*;

use crate::outcome::Outcome;

/// Signals and progress are looked at no more often than this: taking the GIL costs as much as a small fit.
const PATIENCE: Duration = Duration::from_millis(50);

/// Progress of a running minimization, as the observer sees it.
#[pyclass(frozen, get_all, module = "marquardt._core")]
struct Report {
    nfev: usize,
    njev: usize,
    cost: f64,
    x: Py<PyArray1<f64>>,
}

struct Watch {
    /// Called with a `Report` after every evaluation; true stops the run.
    observe: Option<Py<PyAny>>,
    last: Instant,
    error: Option<PyErr>,
}

impl Watch {
    fn look(&mut self, progress: &Progress) -> Control {
        if self.observe.is_none() && self.last.elapsed() < PATIENCE {
            return Control::Continue;
        }
        self.last = Instant::now();
        match Python::attach(|py| self.report(py, progress)) {
            Ok(false) => Control::Continue,
            Ok(true) => Control::Stop,
            Err(error) => {
                // Ctrl-C keeps the best point; any other error of the observer is the caller's to see.
                if !Python::attach(|py| error.is_instance_of::<PyKeyboardInterrupt>(py)) {
                    self.error = Some(error);
                }
                Control::Stop
            }
        }
    }

    fn report(&self, py: Python<'_>, progress: &Progress) -> PyResult<bool> {
        py.check_signals()?;
        let Some(observe) = &self.observe else { return Ok(false) };
        let x = progress.x.to_vec().into_pyarray(py).unbind();
        let report = Report { nfev: progress.nfev, njev: progress.njev, cost: progress.cost, x };
        observe.call1(py, (report,))?.is_truthy(py)
    }
}

/// A Python error on its way through the core.
pub fn broken(error: PyErr) -> Failure {
    if Python::attach(|py| error.is_instance_of::<PyKeyboardInterrupt>(py)) {
        Failure::Interrupted
    } else {
        Failure::Broken(Box::new(error))
    }
}

fn raised(failure: Failure) -> PyErr {
    match failure {
        Failure::Interrupted => PyKeyboardInterrupt::new_err(()),
        Failure::Broken(error) => match error.downcast::<PyErr>() {
            Ok(error) => *error,
            Err(other) => PyRuntimeError::new_err(other.to_string()),
        },
    }
}

/// Minimizes without the GIL.
pub fn run<P: Evaluate + Send>(
    py: Python<'_>,
    problem: &mut P,
    x0: &[f64],
    bounds: (&[f64], &[f64]),
    options: &minimize::Options,
    observe: Option<Py<PyAny>>,
) -> PyResult<Outcome> {
    let mut watch = Watch { observe, last: Instant::now(), error: None };
    let outcome =
        py.detach(|| minimize(problem, x0, bounds.0, bounds.1, options, &mut |progress| watch.look(progress)));
    match watch.error {
        Some(error) => Err(error),
        None => outcome.map(Outcome).map_err(raised),
    }
}
