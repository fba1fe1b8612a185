//! Least squares of functions the caller evaluates: residuals and Jacobian come as dense arrays from closures.

use super::accumulate::{self, RowData};
use super::{Evaluate, Failure, Linearization};
use crate::tape::{Column, Level, Operand, Rows};

/// Fills an array at x: residuals (m) or Jacobian (m x p).
pub type Fill<'a> = Box<dyn FnMut(&[f64], &mut [f64]) -> Result<(), Failure> + 'a>;

/// How a dense Jacobian lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// J[i, j] at i * p + j.
    RowMajor,
    /// J[i, j] at j * m + i.
    ColumnMajor,
}

/// A problem given by closures.
pub struct Callback<'a> {
    n_params: usize,
    n_residuals: usize,
    residuals: Fill<'a>,
    jacobian: Fill<'a>,
    layout: Layout,
    /// Step of the second difference along a direction; none: no second derivatives.
    curvature_step: Option<f64>,
    level: Level,
    jac: Vec<f64>,
    jac_at: Option<Vec<f64>>,
    columns: Vec<Column>,
    magnitude: Column,
}

impl<'a> Callback<'a> {
    /// `jacobian` fills the derivatives of what `residuals` fills. With `curvature_step` h the second derivative
    /// along v is 2/h ((f(x + h v) - f(x)) / h - J v); h = 0.1 or 0.02 are usual.
    pub fn new(
        n_params: usize,
        n_residuals: usize,
        residuals: Fill<'a>,
        jacobian: Fill<'a>,
        layout: Layout,
        curvature_step: Option<f64>,
    ) -> Self {
        Callback {
            n_params,
            n_residuals,
            residuals,
            jacobian,
            layout,
            curvature_step,
            level: Level::best(),
            jac: vec![0.0; n_params * n_residuals],
            jac_at: None,
            columns: vec![Column::default(); n_params + 1],
            magnitude: Column::default(),
        }
    }

    fn entry(&self, i: usize, j: usize) -> f64 {
        match self.layout {
            Layout::RowMajor => self.jac[i * self.n_params + j],
            Layout::ColumnMajor => self.jac[j * self.n_residuals + i],
        }
    }

    /// Makes `jac` the Jacobian at x.
    fn evaluate_jacobian(&mut self, x: &[f64]) -> Result<(), Failure> {
        if self.jac_at.as_deref() != Some(x) {
            self.jac_at = None;
            (self.jacobian)(x, &mut self.jac)?;
            self.jac_at = Some(x.to_vec());
        }
        Ok(())
    }

    /// Adds the rows of a dense Jacobian to the sums. As nothing is known of the model and the data apart from their
    /// difference, |f| stands for |y| + |model| in the rounding sums.
    fn fold_block(&mut self, rows: Rows, f: &[f64], out: &mut Linearization) {
        let (m, p) = (self.n_residuals, self.n_params);
        let f = &f[rows.start..][..rows.len];
        let mut transposed = Vec::new();
        if self.layout == Layout::RowMajor {
            transposed = vec![0.0; p * rows.len];
            for (i, row) in self.jac[rows.start * p..][..rows.len * p].chunks_exact(p.max(1)).enumerate() {
                row.iter().enumerate().for_each(|(j, &value)| transposed[j * rows.len + i] = value);
            }
        }
        let (jac, layout) = (&self.jac, self.layout);
        let derivative = |j: usize| {
            Operand::Column(match layout {
                Layout::RowMajor => &transposed[j * rows.len..][..rows.len],
                Layout::ColumnMajor => &jac[j * m + rows.start..][..rows.len],
            })
        };
        let data = RowData { model: Operand::Column(f), y: None, w: None };
        let (columns, magnitude) = (&mut self.columns, &mut self.magnitude);
        accumulate::Rows { derivative, rows: data, f, columns, magnitude, out }.fold(self.level);
    }
}

impl Evaluate for Callback<'_> {
    fn n_params(&self) -> usize {
        self.n_params
    }

    fn n_residuals(&self) -> usize {
        self.n_residuals
    }

    fn residuals(&mut self, x: &[f64], f: &mut [f64]) -> Result<(), Failure> {
        (self.residuals)(x, f)
    }

    fn linearize(&mut self, x: &[f64], f: &[f64], out: &mut Linearization) -> Result<(), Failure> {
        self.evaluate_jacobian(x)?;
        out.reset(self.n_params);
        for rows in Rows::blocks(0, self.n_residuals) {
            self.fold_block(rows, f, out);
        }
        Ok(())
    }

    fn curvature_along(&mut self, x: &[f64], f: &[f64], v: &[f64], out: &mut [f64]) -> Result<bool, Failure> {
        let Some(h) = self.curvature_step else { return Ok(false) };
        self.evaluate_jacobian(x)?;
        let ahead: Vec<f64> = x.iter().zip(v).map(|(x, v)| x + h * v).collect();
        let mut there = vec![0.0; self.n_residuals];
        (self.residuals)(&ahead, &mut there)?;
        out.fill(0.0);
        for i in 0..self.n_residuals {
            let slope: f64 = (0..self.n_params).map(|j| self.entry(i, j) * v[j]).sum();
            let second = 2.0 / h * ((there[i] - f[i]) / h - slope);
            for (j, out) in out.iter_mut().enumerate() {
                *out += self.entry(i, j) * second;
            }
        }
        Ok(out.iter().all(|o| o.is_finite()))
    }

    fn residual_hessian(&mut self, _x: &[f64], _f: &[f64], _out: &mut [f64]) -> Result<bool, Failure> {
        Ok(false)
    }
}
