//! Losses and likelihoods by name, as Python gives them.

use crate::arrays::Column;
use crate::tape::Tape;
use marquardt_core::cost::Cost;
use marquardt_core::likelihood::Family;
use marquardt_core::loss::{self, Robust};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// What residuals cost.
#[derive(FromPyObject)]
pub enum Loss {
    /// Name, scale, and the shape of the loss "barron".
    Named(String, f64, Option<f64>),
    /// A tape of rho, rho' and rho'' as functions of z, and the scale.
    Formula(Py<Tape>, f64),
    /// The name of a family; the cases of its rows where they do not come with the data.
    Family(String, Option<Column>),
}

const LOSSES: &[(&str, loss::Loss)] = &[
    ("huber", loss::Loss::Huber),
    ("soft_l1", loss::Loss::SoftL1),
    ("cauchy", loss::Loss::Cauchy),
    ("arctan", loss::Loss::Arctan),
    ("geman_mcclure", loss::Loss::GemanMcClure),
    ("tukey", loss::Loss::Tukey),
    ("welsch", loss::Loss::Welsch),
];

fn find<T: Clone>(table: &[(&str, T)], what: &str, name: &str) -> PyResult<T> {
    let found = table.iter().find(|(known, _)| *known == name).map(|(_, row)| row.clone());
    found.ok_or_else(|| PyValueError::new_err(format!("unknown {what} '{name}'")))
}

fn robust(loss: loss::Loss, scale: f64) -> PyResult<Robust> {
    if !(scale > 0.0 && scale.is_finite()) {
        return Err(PyValueError::new_err(format!("the scale of a loss is {scale}")));
    }
    Ok(Robust::new(loss, scale))
}

impl Loss {
    /// The cost, and the cases given with it.
    pub fn into_cost(self) -> PyResult<(Cost, Option<Column>)> {
        match self {
            Loss::Named(name, scale, Some(alpha)) if name == "barron" => {
                Ok((Cost::Robust(robust(loss::Loss::Barron(alpha), scale)?), None))
            }
            Loss::Named(name, scale, _) => {
                Ok((Cost::Robust(robust(find(LOSSES, "loss", &name)?, scale)?), None))
            }
            Loss::Formula(tape, scale) => {
                let formula = loss::Loss::formula(tape.get().0.clone()).map_err(PyValueError::new_err)?;
                Ok((Cost::Robust(robust(formula, scale)?), None))
            }
            Loss::Family(name, cases) => {
                let families = [("poisson", Family::Poisson), ("binomial", Family::Binomial)];
                Ok((Cost::Likelihood(find(&families, "family", &name)?), cases))
            }
        }
    }
}

/// A loss whose scale is found for each fit: its scale in units of the noise, whether it redescends, the scale where it is
/// given, whether the noise is 1.
#[derive(FromPyObject)]
pub struct Plan(Loss, f64, bool, Option<f64>, bool);

impl Plan {
    pub fn into_plan(self) -> PyResult<marquardt_core::batch::Plan> {
        let Plan(loss, tuning, redescends, scale, unit_noise) = self;
        let loss = match loss {
            Loss::Named(name, _, Some(alpha)) if name == "barron" => loss::Loss::Barron(alpha),
            Loss::Named(name, ..) => find(LOSSES, "loss", &name)?,
            Loss::Formula(tape, _) => {
                loss::Loss::formula(tape.get().0.clone()).map_err(PyValueError::new_err)?
            }
            Loss::Family(..) => return Err(PyValueError::new_err("a family is no loss of single residuals")),
        };
        Ok(marquardt_core::batch::Plan { loss, tuning, redescends, scale, unit_noise })
    }
}

/// rho, rho' and rho'' at z, as the core has them.
#[pyfunction]
pub fn loss_values(loss: Loss, z: f64) -> PyResult<[f64; 3]> {
    match loss.into_cost()?.0 {
        Cost::Robust(robust) => Ok(robust.rho(z)),
        Cost::Likelihood(_) => Err(PyValueError::new_err("a family is no loss of single residuals")),
    }
}
