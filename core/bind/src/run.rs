//! One run of the minimizer: releases the GIL, watches for Ctrl-C, passes progress on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use marquardt_core::evaluate::{Evaluate, Failure};
use marquardt_core::minimize::{self, Control, Progress, minimize};
use numpy::{IntoPyArray, PyArray1};
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError};
use pyo3::prelude::*;

use crate::outcome::Outcome;

/// Signals are looked at no more often than this: taking the GIL at every step would cost as much as a small fit.
pub const PATIENCE: Duration = Duration::from_millis(50);

/// Ctrl-C, as several threads see it: the thread that made this looks, the others are told.
pub struct Signals {
    stop: AtomicBool,
    last: Mutex<Instant>,
    caller: ThreadId,
}

impl Signals {
    pub fn new() -> Self {
        let caller = thread::current().id();
        Signals { stop: AtomicBool::new(false), last: Mutex::new(Instant::now()), caller }
    }

    pub fn have_stopped(&self) -> bool {
        if thread::current().id() == self.caller
            && let Ok(mut last) = self.last.lock()
            && last.elapsed() > PATIENCE
        {
            *last = Instant::now();
            if Python::attach(|py| py.check_signals().is_err()) {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
        self.stop.load(Ordering::Relaxed)
    }
}

/// Progress of a running minimization, as the observer sees it.
#[pyclass(frozen, get_all, module = "marquardt._core")]
struct Report {
    nfev: usize,
    njev: usize,
    cost: f64,
    x: Py<PyArray1<f64>>,
}

#[pymethods]
impl Report {
    fn __repr__(&self) -> String {
        format!("<Report nfev={} njev={} cost={:e}>", self.nfev, self.njev, self.cost)
    }
}

/// Who wants to know: called with a `Report` after an evaluation, at most once in so many seconds; true stops the run.
#[derive(FromPyObject)]
pub struct Observer(Py<PyAny>, f64);

struct Watch {
    observe: Option<Py<PyAny>>,
    every: Duration,
    last: Instant,
    error: Option<PyErr>,
}

impl Watch {
    fn new(observer: Option<Observer>) -> Self {
        let (observe, seconds) =
            observer.map_or((None, 1.0), |Observer(observe, seconds)| (Some(observe), seconds));
        let every = if observe.is_some() {
            Duration::try_from_secs_f64(seconds).unwrap_or(PATIENCE)
        } else {
            PATIENCE
        };
        Watch { observe, every, last: Instant::now(), error: None }
    }

    fn verdict(self, outcome: Result<minimize::Outcome, Failure>) -> PyResult<Outcome> {
        match self.error {
            Some(error) => Err(error),
            None => outcome.map(Outcome::from).map_err(raised),
        }
    }

    fn look(&mut self, progress: &Progress) -> Control {
        if !self.every.is_zero() && self.last.elapsed() < self.every {
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

pub fn raised(failure: Failure) -> PyErr {
    match failure {
        Failure::Interrupted => PyKeyboardInterrupt::new_err(()),
        Failure::Broken(error) => match error.downcast::<PyErr>() {
            Ok(error) => *error,
            Err(other) => PyRuntimeError::new_err(other.to_string()),
        },
    }
}

/// Where a run starts and how it is to go.
pub struct Start<'a> {
    pub x0: &'a [f64],
    pub lower: &'a [f64],
    pub upper: &'a [f64],
    pub options: &'a minimize::Options,
    pub observer: Option<Observer>,
}

impl Start<'_> {
    /// Minimizes with the GIL released.
    pub fn run_detached(self, py: Python<'_>, problem: &mut (dyn Evaluate + Send)) -> PyResult<Outcome> {
        let mut watch = Watch::new(self.observer);
        let (x0, lower, upper, options) = (self.x0, self.lower, self.upper, self.options);
        let outcome = py.detach(|| minimize(problem, x0, lower, upper, options, &mut |p| watch.look(p)));
        watch.verdict(outcome)
    }

    /// Minimizes a problem that is itself evaluated in Python.
    pub fn run_attached(self, problem: &mut dyn Evaluate) -> PyResult<Outcome> {
        let mut watch = Watch::new(self.observer);
        let outcome =
            minimize(problem, self.x0, self.lower, self.upper, self.options, &mut |p| watch.look(p));
        watch.verdict(outcome)
    }
}
