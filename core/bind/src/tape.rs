//! `Tape`: a checked register program.

use marquardt_core::tape::{self, Level, TapeSpec, Workspace};
use numpy::{IntoPyArray, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::Column;

/// (name, number, arity) of every operation that has a kernel.
#[pyfunction]
pub fn opcodes() -> Vec<(&'static str, u32, u32)> {
    tape::opcodes().to_vec()
}

/// The instruction set in use, "baseline", "avx2" or "avx512": the best of this machine, or MARQUARDT_CPU.
#[pyfunction]
pub fn cpu_level() -> &'static str {
    Level::best().name()
}

/// A program for the tape machine; see `marquardt.expr.tape`.
#[pyclass(frozen, module = "marquardt._core")]
pub struct Tape(pub tape::Tape);

fn rows(table: &PyReadonlyArray2<u32>) -> PyResult<Vec<[u32; 5]>> {
    let flat = table.as_slice()?;
    let (rows, rest) = flat.as_chunks::<5>();
    if rest.is_empty() {
        Ok(rows.to_vec())
    } else {
        Err(PyValueError::new_err("an instruction has 5 numbers"))
    }
}

#[pymethods]
impl Tape {
    #[new]
    fn new(
        n_params: usize,
        constants: PyReadonlyArray1<f64>,
        prologue: PyReadonlyArray2<u32>,
        n_inputs: usize,
        code: PyReadonlyArray2<u32>,
        n_registers: usize,
        outputs: Vec<u32>,
        guards: Vec<(u32, bool)>,
    ) -> PyResult<Self> {
        let spec = TapeSpec {
            n_params,
            constants: constants.as_slice()?.to_vec(),
            prologue: rows(&prologue)?,
            n_inputs,
            code: rows(&code)?,
            n_registers,
            outputs,
            guards,
        };
        tape::Tape::new(spec).map(Tape).map_err(PyValueError::new_err)
    }

    #[getter]
    fn n_instructions(&self) -> usize {
        self.0.n_instructions()
    }

    #[getter]
    fn n_registers(&self) -> usize {
        self.0.n_registers()
    }

    /// Do all guards hold at these parameters?
    fn guards_hold(&self, params: PyReadonlyArray1<f64>) -> PyResult<bool> {
        let mut work = Workspace::new();
        self.0.load(Level::best(), params.as_slice()?, &mut work);
        Ok(self.0.guards_hold(&work))
    }

    /// All outputs at all points, shape (outputs, n).
    fn run<'py>(
        &self,
        py: Python<'py>,
        params: PyReadonlyArray1<f64>,
        columns: Vec<Column>,
        n: usize,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let params = params.as_slice()?;
        let inputs = slices(&columns, n)?;
        let k = self.0.n_outputs();
        let values = py.detach(|| {
            let mut values = vec![0.0; k * n];
            let mut outputs: Vec<&mut [f64]> = values.chunks_mut(n.max(1)).collect();
            outputs.truncate(k);
            if n > 0 {
                self.0.run(Level::best(), params, &inputs, &mut outputs, &mut Workspace::new());
            }
            values
        });
        values.into_pyarray(py).reshape([k, n])
    }

    /// Seconds for `repeat` evaluations of all points at a CPU level, outputs left in the workspace.
    fn time(
        &self,
        py: Python<'_>,
        level: &str,
        params: PyReadonlyArray1<f64>,
        columns: Vec<Column>,
        n: usize,
        repeat: usize,
    ) -> PyResult<f64> {
        let level = Level::named(level)
            .ok_or_else(|| PyValueError::new_err(format!("this machine has no CPU level '{level}'")))?;
        let params = params.as_slice()?;
        let inputs = slices(&columns, n)?;
        Ok(py.detach(|| {
            let mut work = Workspace::new();
            self.0.run_in_place(level, params, &inputs, n, &mut work, 1);
            let start = std::time::Instant::now();
            self.0.run_in_place(level, params, &inputs, n, &mut work, repeat);
            start.elapsed().as_secs_f64()
        }))
    }
}

fn slices(columns: &[Column], n: usize) -> PyResult<Vec<&[f64]>> {
    let slices: Vec<&[f64]> = columns.iter().map(Column::as_ref).collect();
    match slices.iter().find(|s| s.len() != n) {
        Some(s) => Err(PyValueError::new_err(format!("a column has {} rows instead of {n}", s.len()))),
        None => Ok(slices),
    }
}
