//! `Structure` and `System`: the linear model of a large problem.

use std::sync::{Mutex, PoisonError};

use marquardt_core::large::{self, Contents, Given, Preconditioning, Reduced, Sizes, Slots, Solver, Soon};
use marquardt_core::linear::sparse::Kind;
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::Column;
use crate::loss::Loss;
use crate::tape::Tape;
use marquardt_core::cost::Cost;

/// Residuals per item; data columns; programs of the residuals and of the residuals with their derivatives (None: given
/// from outside); loss.
#[derive(FromPyObject)]
pub struct Family(usize, Vec<Column>, Option<(Program, Program)>, Option<Loss>);

/// A tape over the items, and per slot the tape that makes its table.
#[derive(FromPyObject)]
pub struct Program(Py<Tape>, Vec<Option<Py<Tape>>>);

/// The structure of a system, analyzed by a thread of its own: functions are traced meanwhile.
#[pyclass(frozen, module = "marquardt._core")]
pub struct Structure {
    sizes: Vec<Sizes>,
    /// Items of each family of residuals, and the variables of its slots.
    families: Vec<(usize, Vec<usize>)>,
    analysis: Mutex<Option<Soon<large::Structure>>>,
}

#[pymethods]
impl Structure {
    /// Families of variables (number, ambient, tangent); for each family of residuals, slot by slot, the family of
    /// variables and the variable of each item.
    #[new]
    #[pyo3(signature = (sizes, families, eliminated, solver, threads))]
    fn new(
        sizes: Vec<(usize, usize, usize)>,
        families: Vec<Vec<(usize, PyReadonlyArray1<'_, u32>)>>,
        eliminated: Option<usize>,
        solver: &str,
        threads: usize,
    ) -> PyResult<Self> {
        let sizes: Vec<Sizes> =
            sizes.into_iter().map(|(n, ambient, tangent)| Sizes { n, ambient, tangent }).collect();
        if eliminated.is_some_and(|k| k >= sizes.len()) {
            return Err(PyValueError::new_err("the eliminated family does not exist"));
        }
        let Some((_, solver)) = SOLVERS.iter().find(|(name, _)| *name == solver) else {
            return Err(PyValueError::new_err(format!("unknown linear solver '{solver}'")));
        };
        let solver = *solver;
        let slots = families.into_iter().map(|f| slots(f, &sizes)).collect::<PyResult<Vec<Slots>>>()?;
        let families = slots.iter().map(|s| (s[0].1.len(), s.iter().map(|s| s.0).collect())).collect();
        let known = sizes.clone();
        let analysis = large::Structure::begin(known, slots, eliminated, solver, threads);
        Ok(Structure { sizes, families, analysis: Mutex::new(Some(analysis)) })
    }
}

#[pyclass(module = "marquardt._core")]
pub struct System(large::System);

const SOLVERS: &[(&str, Solver)] = &[
    ("auto", Solver::Auto),
    ("dense", Solver::Dense),
    ("sparse", Solver::Sparse),
    ("pcg", Solver::Gradients(Preconditioning::SchurJacobi)),
    ("pcg-jacobi", Solver::Gradients(Preconditioning::Jacobi)),
    ("pcg-clusters", Solver::Gradients(Preconditioning::Clusters)),
];

type Parts<'py> = Vec<Bound<'py, PyArray1<f64>>>;

#[pymethods]
impl System {
    /// Of a structure, which no other system can take, and what the items of its families compute.
    #[new]
    fn new(py: Python<'_>, structure: &Structure, families: Vec<Family>) -> PyResult<Self> {
        if families.len() != structure.families.len() {
            return Err(PyValueError::new_err("the structure has another number of families"));
        }
        let known = structure.families.iter();
        let contents = families
            .into_iter()
            .zip(known)
            .map(|(f, (n, slots))| contents(f, *n, slots, &structure.sizes))
            .collect::<PyResult<_>>()?;
        let taken = structure.analysis.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(analysis) = taken else {
            return Err(PyValueError::new_err("the structure belongs to another system"));
        };
        match py.detach(|| analysis.wait()) {
            Some(structure) => Ok(System(py.detach(|| large::System::new(structure, contents)))),
            None => Err(PyRuntimeError::new_err(
                "the analysis of the structure was lost, with its thread, in a fork of the process or a panic",
            )),
        }
    }

    /// Half the sum of what the items cost.
    fn cost(&mut self, py: Python<'_>, values: Vec<Column>) -> PyResult<f64> {
        let values = self.checked(&values, |s| s.ambient)?;
        let system = &mut self.0;
        Ok(py.detach(|| system.cost(&values)))
    }

    /// Squared norms of the items of a family, before the loss.
    fn squared_norms<'py>(
        &self,
        py: Python<'py>,
        values: Vec<Column>,
        family: usize,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let values = self.checked(&values, |s| s.ambient)?;
        self.family(family)?;
        Ok(py.detach(|| self.0.squared_norms(&values, family)).into_pyarray(py))
    }

    /// Factors of the squared norms of a family's items; None: ones.
    #[pyo3(signature = (family, weights))]
    fn set_weights(&mut self, family: usize, weights: Option<PyReadonlyArray1<f64>>) -> PyResult<()> {
        let n = self.family(family)?.n;
        let weights = weights.as_ref().map(|w| w.as_slice()).transpose()?;
        if weights.is_some_and(|w| w.len() != n) {
            return Err(PyValueError::new_err(format!("a family of {n} items has as many weights")));
        }
        self.0.set_weights(family, weights);
        Ok(())
    }

    /// Least part of the curvature of the squares that losses leave along the residuals, from the next Jacobian on.
    fn set_floor(&mut self, floor: f64) {
        self.0.set_floor(floor);
    }

    /// Residuals, and derivatives, of a family that has no programs: item after item, row by row.
    fn give(&mut self, family: usize, residuals: Column, jacobian: Column) -> PyResult<()> {
        let known = self.family(family)?;
        let columns: usize = known.slots.iter().map(|s| s.tangent).sum();
        let n = known.n * known.rows;
        let (residuals, jacobian) = (residuals.as_ref().to_vec(), jacobian.as_ref().to_vec());
        if residuals.len() != n || !(jacobian.is_empty() || jacobian.len() == n * columns) {
            return Err(PyValueError::new_err("residuals or derivatives have another shape"));
        }
        self.0.give(family, Given { residuals, jacobian });
        Ok(())
    }

    /// The cost; the linear model at these values is remembered.
    fn linearize(&mut self, py: Python<'_>, values: Vec<Column>) -> PyResult<f64> {
        let values = self.checked(&values, |s| s.ambient)?;
        let system = &mut self.0;
        Ok(py.detach(|| system.linearize(&values)))
    }

    fn gradient<'py>(&self, py: Python<'py>) -> Parts<'py> {
        arrays(py, self.0.gradient())
    }

    /// The diagonal of J'J.
    fn diagonal<'py>(&self, py: Python<'py>) -> Parts<'py> {
        arrays(py, self.0.diagonal())
    }

    /// Factors J'J + lambda D; frozen components take no step. False where it is not positive definite.
    #[pyo3(signature = (damping, frozen=None, exactly=false))]
    fn factorize(
        &mut self,
        py: Python<'_>,
        damping: f64,
        frozen: Option<Vec<PyReadonlyArray1<bool>>>,
        exactly: bool,
    ) -> PyResult<bool> {
        let frozen = match &frozen {
            Some(parts) => Some(parts.iter().map(|p| Ok(p.as_slice()?)).collect::<PyResult<Vec<&[bool]>>>()?),
            None => None,
        };
        if let Some(parts) = &frozen {
            self.same_lengths(parts.iter().map(|p| p.len()), |s| s.tangent)?;
        }
        let system = &mut self.0;
        Ok(py.detach(|| system.factorize(damping, frozen.as_deref(), exactly)))
    }

    /// The step with the present factor, and by how much the model says the cost falls.
    fn step<'py>(&mut self, py: Python<'py>) -> (Parts<'py>, f64, usize) {
        let system = &mut self.0;
        let step = py.detach(|| system.step());
        (arrays(py, step.parts), step.predicted, step.inner)
    }

    /// What solves: name, unknowns of the reduced system, blocks stored, numbers of its factor, its flops, and bytes
    /// of all.
    fn info<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let info = PyDict::new(py);
        let find = |wanted| SOLVERS.iter().find(|(_, s)| *s == wanted).map_or("", |(name, _)| *name);
        self.0.wait();
        let (name, factor) = match self.0.solver() {
            Reduced::Soon(..) => ("", None),
            Reduced::Gradients(kind, _) => (find(Solver::Gradients(*kind)), None),
            Reduced::Factor(c) if c.kind() == Kind::Dense => ("dense", Some(c)),
            Reduced::Factor(c) => ("sparse", Some(c)),
        };
        info.set_item("solver", name)?;
        info.set_item("unknowns", self.0.pattern().dimension())?;
        info.set_item("blocks", self.0.pattern().columns.len())?;
        if let Some(factor) = factor {
            info.set_item("nonzeros", factor.nonzeros())?;
            info.set_item("flops", factor.flops())?;
        }
        info.set_item("bytes", self.0.bytes() + factor.map_or(0, |f| f.bytes()))?;
        Ok(info)
    }

    /// The solution for another right-hand side with the present factor.
    fn solve<'py>(&mut self, py: Python<'py>, b: Vec<Column>) -> PyResult<Parts<'py>> {
        let b = self.checked(&b, |s| s.tangent)?;
        let system = &mut self.0;
        let parts = py.detach(|| system.solve(&b));
        Ok(arrays(py, parts))
    }

    /// `|J d|²`.
    fn curvature(&self, py: Python<'_>, d: Vec<Column>) -> PyResult<f64> {
        let d = self.checked(&d, |s| s.tangent)?;
        Ok(py.detach(|| self.0.curvature(&d)))
    }

    /// The blocks on the diagonal of (J'J + lambda D)^-1 of a family of variables, or None where nothing is factored.
    fn inverse_diagonal<'py>(
        &self,
        py: Python<'py>,
        family: usize,
    ) -> PyResult<Option<Bound<'py, PyArray1<f64>>>> {
        if family >= self.0.layout().sizes.len() {
            return Err(PyValueError::new_err(format!("there are no variables {family}")));
        }
        Ok(py.detach(|| self.0.inverse_diagonal(family)).map(|blocks| blocks.into_pyarray(py)))
    }

    /// Time spent eliminating, assembling and factoring so far.
    #[getter]
    fn seconds(&self) -> (f64, f64, f64) {
        let large::Seconds { eliminate, assemble, factor } = self.0.seconds();
        (eliminate, assemble, factor)
    }
}

impl System {
    fn family(&self, family: usize) -> PyResult<&large::Family> {
        let found = self.0.families().get(family);
        found.ok_or_else(|| PyValueError::new_err(format!("there is no family {family}")))
    }

    fn checked<'a>(&self, parts: &'a [Column], width: impl Fn(&Sizes) -> usize) -> PyResult<Vec<&'a [f64]>> {
        let parts: Vec<&[f64]> = parts.iter().map(Column::as_ref).collect();
        self.same_lengths(parts.iter().map(|p| p.len()), width)?;
        Ok(parts)
    }

    fn same_lengths(
        &self,
        found: impl Iterator<Item = usize>,
        width: impl Fn(&Sizes) -> usize,
    ) -> PyResult<()> {
        let wanted = self.0.layout().sizes.iter().map(|s| s.n * width(s));
        if found.eq(wanted) {
            Ok(())
        } else {
            Err(PyValueError::new_err("the arrays do not have the lengths of the families of variables"))
        }
    }
}

fn arrays<'py>(py: Python<'py>, parts: Vec<Vec<f64>>) -> Parts<'py> {
    parts.into_iter().map(|p| p.into_pyarray(py)).collect()
}

fn wrong<T>(what: &str) -> PyResult<T> {
    Err(PyValueError::new_err(format!("a family of residuals has {what}")))
}

fn slots(given: Vec<(usize, PyReadonlyArray1<'_, u32>)>, sizes: &[Sizes]) -> PyResult<Slots> {
    let slots = given
        .into_iter()
        .map(|(variable, index)| Ok((variable, index.as_slice()?.to_vec())))
        .collect::<PyResult<Slots>>()?;
    let Some(n) = slots.first().map(|s| s.1.len()) else { return wrong("no variables") };
    for (variable, index) in &slots {
        let Some(s) = sizes.get(*variable) else { return wrong("a slot of an unknown family of variables") };
        if index.len() != n || index.iter().any(|&i| i as usize >= s.n) {
            return wrong("an index out of range, or another number of them");
        }
    }
    Ok(slots)
}

/// What n items compute from variables of the families `slots`.
fn contents(family: Family, n: usize, slots: &[usize], sizes: &[Sizes]) -> PyResult<Contents> {
    let Family(rows, columns, programs, loss) = family;
    let columns: Vec<Vec<f64>> = columns.iter().map(|c| c.as_ref().to_vec()).collect();
    if columns.iter().any(|c| c.len() != n) {
        return wrong("a data column of another length");
    }
    let tangent: usize = slots.iter().map(|&s| sizes[s].tangent).sum();
    let programs = match programs {
        None => None,
        Some((value, linear)) => {
            let ambient: Vec<usize> = slots.iter().map(|&s| sizes[s].ambient).collect();
            let checked = |p: Program, outputs| program(p, &ambient, columns.len(), outputs);
            Some((checked(value, rows)?, checked(linear, rows * (1 + tangent))?))
        }
    };
    let loss = match loss.map(Loss::into_cost).transpose()? {
        None => None,
        Some((Cost::Robust(robust), _)) => Some(robust),
        Some(_) => return wrong("a likelihood in place of a loss"),
    };
    Ok(Contents { rows, columns, programs, loss })
}

fn program(p: Program, ambient: &[usize], n_columns: usize, n_outputs: usize) -> PyResult<large::Program> {
    let tape = p.0.get().0.clone();
    let tables: Vec<Option<_>> = p.1.into_iter().map(|t| t.map(|t| t.get().0.clone())).collect();
    let fits = |(t, &n): (&Option<marquardt_core::tape::Tape>, &usize)| {
        t.as_ref().is_none_or(|t| (t.n_params(), t.n_inputs()) == (0, n))
    };
    let width =
        |(t, &n): (&Option<marquardt_core::tape::Tape>, &usize)| t.as_ref().map_or(n, |t| t.n_outputs());
    let inputs = n_columns + tables.iter().zip(ambient).map(width).sum::<usize>();
    let shape = (tape.n_params(), tape.n_inputs(), tape.n_outputs(), tables.len());
    if shape != (0, inputs, n_outputs, ambient.len()) || !tables.iter().zip(ambient).all(fits) {
        return Err(PyValueError::new_err("a family of residuals has programs of other inputs or outputs"));
    }
    Ok(large::Program { tape, tables })
}
