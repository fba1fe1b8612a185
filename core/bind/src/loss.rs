//! Losses by name, as Python gives them.

use marquardt_core::loss::{self, Robust};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Name, scale, and the shape of the loss "barron".
pub type Loss = (String, f64, Option<f64>);

const LOSSES: &[(&str, loss::Loss)] = &[
    ("huber", loss::Loss::Huber),
    ("soft_l1", loss::Loss::SoftL1),
    ("cauchy", loss::Loss::Cauchy),
    ("arctan", loss::Loss::Arctan),
    ("geman_mcclure", loss::Loss::GemanMcClure),
    ("tukey", loss::Loss::Tukey),
    ("welsch", loss::Loss::Welsch),
];

pub fn robust((name, scale, alpha): Loss) -> PyResult<Robust> {
    if !(scale > 0.0 && scale.is_finite()) {
        return Err(PyValueError::new_err(format!("the scale of a loss is {scale}")));
    }
    let loss = match (name.as_str(), alpha) {
        ("barron", Some(alpha)) => Some(loss::Loss::Barron(alpha)),
        (name, _) => LOSSES.iter().find(|(known, _)| *known == name).map(|(_, loss)| *loss),
    };
    let loss = loss.ok_or_else(|| PyValueError::new_err(format!("unknown loss '{name}'")))?;
    Ok(Robust::new(loss, scale))
}

/// rho, rho' and rho'' at z, as the core has them.
#[pyfunction]
pub fn loss_values(loss: Loss, z: f64) -> PyResult<[f64; 3]> {
    Ok(robust(loss)?.rho(z))
}
