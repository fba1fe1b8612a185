//! Rows that share a model.

use std::sync::Arc;

use super::piece::Piece;
use crate::cost::{Cost, CostOf};
use crate::loss::Part;
use crate::tape::Tape;

/// A data column: owned or borrowed from elsewhere.
pub type Values = Arc<dyn AsRef<[f64]> + Send + Sync>;

/// The tapes of one model with k outputs and p free parameters. All take the full parameter vector.
pub struct Programs {
    /// Outputs: the model (k).
    pub value: Tape,
    /// Outputs: the model (k), then its derivatives by the free parameters (k x p).
    pub jacobian: Tape,
    /// Outputs: derivatives (k x p), then second derivatives along a direction (k);
    /// parameters: the full vector, then the direction (p).
    pub curvature: Option<Tape>,
    /// Outputs: per model output, the second derivative for each listed pair (j, l) of free parameters, j >= l.
    /// Or, for a single row: only those of the weighted sum of the outputs; parameters: the full vector, then the
    /// weights (k).
    pub hessian: Option<(Tape, Vec<(u32, u32)>)>,
}

/// Rows that share a model.
#[derive(Clone)]
pub struct Block {
    pub programs: Arc<Programs>,
    pub columns: Vec<Values>,
    /// Observations and weights, output after output: k x n.
    pub y: Option<Values>,
    pub w: Option<Values>,
    /// Of a likelihood: how often each row counts, or its trials (then there are no weights `w`).
    pub cases: Option<Values>,
    pub n_rows: usize,
    pub n_outputs: usize,
}

impl Block {
    pub(crate) fn check(&self, n_params: usize, p: usize) -> Result<(), String> {
        let (n, k) = (self.n_rows, self.n_outputs);
        if k == 0 {
            return Err("no outputs".into());
        }
        for (name, values) in [("y", &self.y), ("w", &self.w), ("cases", &self.cases)] {
            if values.as_ref().is_some_and(|v| (**v).as_ref().len() != k * n) {
                return Err(format!("{name} should have {k} x {n} values"));
            }
        }
        if let Some(j) = self.columns.iter().position(|c| (**c).as_ref().len() != n) {
            return Err(format!("column {j} should have {n} values"));
        }
        let programs = &self.programs;
        let hessian = programs.hessian.as_ref();
        let weighted = n == 1 && hessian.is_some_and(|(tape, _)| tape.n_params() == n_params + k);
        let (sums, weights) = if weighted { (1, k) } else { (k, 0) };
        if hessian.is_some_and(|(_, pairs)| pairs.iter().any(|&(j, l)| j as usize >= p || l > j)) {
            return Err("a pair of the second derivatives is out of range".into());
        }
        for (name, tape, outputs, params) in [
            ("value", Some(&programs.value), k, n_params),
            ("jacobian", Some(&programs.jacobian), k + k * p, n_params),
            ("curvature", programs.curvature.as_ref(), k * p + k, n_params + p),
            ("hessian", hessian.map(|h| &h.0), sums * hessian.map_or(0, |h| h.1.len()), n_params + weights),
        ] {
            let Some(tape) = tape else { continue };
            let found = (tape.n_outputs(), tape.n_params(), tape.n_inputs());
            if found != (outputs, params, self.columns.len()) {
                return Err(format!(
                    "the {name} tape has (outputs, parameters, inputs) {found:?}, not {:?}",
                    (outputs, params, self.columns.len())
                ));
            }
        }
        Ok(())
    }

    /// Calls `f` with all rows as slices, without an allocation when there are few columns.
    pub(crate) fn with_piece<T>(&self, f: impl FnOnce(&Piece) -> T) -> T {
        let [y, w, cases] = [&self.y, &self.w, &self.cases].map(|v| v.as_ref().map(slice));
        let with = |inputs: &[&[f64]]| {
            let Block { ref programs, n_rows, n_outputs, .. } = *self;
            f(&Piece { programs, inputs, y, w, cases, n_rows, n_outputs })
        };
        let mut few = [&[][..]; 8];
        if self.columns.len() <= few.len() {
            let slices = &mut few[..self.columns.len()];
            slices.iter_mut().zip(&self.columns).for_each(|(s, c)| *s = slice(c));
            with(slices)
        } else {
            with(&self.columns.iter().map(slice).collect::<Vec<_>>())
        }
    }

    /// The cost of all rows, output after output.
    pub(crate) fn whole_cost<'a>(&'a self, cost: &'a Cost) -> CostOf<'a> {
        let whole = |values: &'a Option<Values>| values.as_ref().map(|v| (**v).as_ref());
        CostOf { cost, part: Part::Model, y: whole(&self.y).unwrap_or(&[]), cases: whole(&self.cases) }
    }
}

fn slice(values: &Values) -> &[f64] {
    (**values).as_ref()
}
