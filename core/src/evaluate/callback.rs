//! Least squares of functions the caller evaluates: residuals and derivatives come as dense arrays from closures.

use std::borrow::Cow;

use super::accumulate::{self, RowData};
use super::reduction::Reduction;
use super::{Evaluate, Failure, Linearization};
use crate::loss::{self, Robust};
use crate::tape::{Column, Level, Operand, Rows};

/// Fills an array at x: the residuals (m).
pub type Fill<'a> = Box<dyn FnMut(&[f64], &mut [f64]) -> Result<(), Failure> + 'a>;

/// Fills an array at x with a second vector: the Jacobian (m x p, row-major) where the residuals are f, the second
/// derivative of the residuals along v (m), or sum_i f_i H_i (p x p).
pub type FillWith<'a> = Box<dyn FnMut(&[f64], &[f64], &mut [f64]) -> Result<(), Failure> + 'a>;

/// Where the second derivative of the residuals along a direction v comes from.
pub enum Curvature<'a> {
    /// 2/h ((f(x + h v) - f(x)) / h - J v), one more residual evaluation; h = 0.1 or 0.02 are usual.
    Differences(f64),
    /// Given x and v.
    Exact(FillWith<'a>),
}

/// A problem given by closures.
pub struct Callback<'a> {
    n_params: usize,
    n_residuals: usize,
    residuals: Fill<'a>,
    jacobian: FillWith<'a>,
    curvature: Curvature<'a>,
    hessian: Option<FillWith<'a>>,
    /// |y| w of each residual, where the residuals are (model - y) w.
    observed: Option<Vec<f64>>,
    loss: Option<Robust>,
    linear: Vec<usize>,
    level: Level,
    jac: Vec<f64>,
    jac_at: Option<Vec<f64>>,
    columns: Vec<Column>,
    magnitude: Column,
}

impl<'a> Callback<'a> {
    /// `jacobian` fills the derivatives of what `residuals` fills.
    pub fn new(
        n_params: usize,
        n_residuals: usize,
        residuals: Fill<'a>,
        jacobian: FillWith<'a>,
        curvature: Curvature<'a>,
    ) -> Self {
        Callback {
            n_params,
            n_residuals,
            residuals,
            jacobian,
            curvature,
            hessian: None,
            observed: None,
            loss: None,
            linear: Vec::new(),
            level: Level::best(),
            jac: vec![0.0; n_params * n_residuals],
            jac_at: None,
            columns: vec![Column::default(); n_params + 1],
            magnitude: Column::default(),
        }
    }

    /// Parameters in which the residuals are affine together.
    pub fn with_linear(mut self, linear: Vec<usize>) -> Self {
        self.linear = linear;
        self
    }

    pub fn with_hessian(mut self, hessian: FillWith<'a>) -> Self {
        self.hessian = Some(hessian);
        self
    }

    pub fn with_observed(mut self, observed: Vec<f64>) -> Self {
        assert_eq!(observed.len(), self.n_residuals);
        self.observed = Some(observed);
        self
    }

    pub fn with_loss(mut self, loss: Option<Robust>) -> Self {
        self.loss = loss;
        self
    }

    /// Makes `jac` the Jacobian at x.
    fn evaluate_jacobian(&mut self, x: &[f64], f: &[f64]) -> Result<(), Failure> {
        if self.jac_at.as_deref() != Some(x) {
            self.jac_at = None;
            (self.jacobian)(x, f, &mut self.jac)?;
            self.jac_at = Some(x.to_vec());
        }
        Ok(())
    }

    /// Adds the rows of a dense Jacobian to the sums. The model itself is only known as f + y, so |f| + |y| bounds it.
    fn fold_block(&mut self, rows: Rows, loss: Option<Robust>, f: &[f64], out: &mut Linearization) {
        let p = self.n_params;
        let f = &f[rows.start..][..rows.len];
        let mut transposed = vec![0.0; p * rows.len];
        for (i, row) in self.jac[rows.start * p..][..rows.len * p].chunks_exact(p.max(1)).enumerate() {
            row.iter().enumerate().for_each(|(j, &value)| transposed[j * rows.len + i] = value);
        }
        let derivative = |j: usize| Operand::Column(&transposed[j * rows.len..][..rows.len]);
        let y = self.observed.as_ref().map(|y| &y[rows.start..][..rows.len]);
        let data = RowData { model: Operand::Column(f), y, w: None, loss };
        let (columns, magnitude) = (&mut self.columns, &mut self.magnitude);
        accumulate::Rows { derivative, rows: data, f, columns, magnitude, out }.fold(self.level);
    }

    /// Second derivative of the residuals along v.
    fn second(&mut self, x: &[f64], f: &[f64], v: &[f64], second: &mut [f64]) -> Result<(), Failure> {
        let h = match &mut self.curvature {
            Curvature::Exact(fill) => return fill(x, v, second),
            Curvature::Differences(h) => *h,
        };
        let ahead: Vec<f64> = x.iter().zip(v).map(|(x, v)| x + h * v).collect();
        (self.residuals)(&ahead, second)?;
        for (i, second) in second.iter_mut().enumerate() {
            let row = &self.jac[i * self.n_params..][..self.n_params];
            let slope: f64 = row.iter().zip(v).map(|(j, v)| j * v).sum();
            *second = 2.0 / h * ((*second - f[i]) / h - slope);
        }
        Ok(())
    }
}

impl Evaluate for Callback<'_> {
    fn n_params(&self) -> usize {
        self.n_params
    }

    fn linear(&self) -> &[usize] {
        &self.linear
    }

    fn n_residuals(&self) -> usize {
        self.n_residuals
    }

    fn residuals(&mut self, x: &[f64], f: &mut [f64]) -> Result<(), Failure> {
        (self.residuals)(x, f)
    }

    fn compare(
        &mut self,
        x: &[f64],
        before: Option<&[f64]>,
        f: &mut [f64],
        _: Option<&mut Linearization>,
    ) -> Result<(Reduction, bool), Failure> {
        self.residuals(x, f)?;
        Ok((loss::reduction(self.loss, before.unwrap_or(f), f), false))
    }

    fn linearize(&mut self, x: &[f64], f: &[f64], out: &mut Linearization) -> Result<(), Failure> {
        self.evaluate_jacobian(x, f)?;
        out.reset(self.n_params);
        for rows in Rows::blocks(0, self.n_residuals) {
            self.fold_block(rows, self.loss, f, out);
        }
        Ok(())
    }

    fn curvature_along(&mut self, x: &[f64], f: &[f64], v: &[f64], out: &mut [f64]) -> Result<bool, Failure> {
        self.evaluate_jacobian(x, f)?;
        let mut second = vec![0.0; self.n_residuals];
        self.second(x, f, v, &mut second)?;
        out.fill(0.0);
        if let Some(loss) = self.loss {
            second.iter_mut().zip(f).for_each(|(d, &f)| *d *= loss.curvature(f));
        }
        for (row, second) in self.jac.chunks_exact(self.n_params.max(1)).zip(second) {
            out.iter_mut().zip(row).for_each(|(out, j)| *out += j * second);
        }
        Ok(out.iter().all(|o| o.is_finite()))
    }

    fn residual_hessian(&mut self, x: &[f64], f: &[f64], out: &mut [f64]) -> Result<bool, Failure> {
        match &mut self.hessian {
            Some(fill) => fill(x, &loss::slopes(self.loss, f), out)?,
            None => return Ok(false),
        }
        self.subtract_excess(x, f, out)?;
        Ok(out.iter().all(|o| o.is_finite()))
    }

    fn slopes<'f>(&self, f: &'f [f64]) -> Cow<'f, [f64]> {
        loss::slopes(self.loss, f)
    }

    fn subtract_excess(&mut self, x: &[f64], f: &[f64], out: &mut [f64]) -> Result<(), Failure> {
        let Some(loss) = self.loss else { return Ok(()) };
        self.evaluate_jacobian(x, f)?;
        let mut sums = Linearization::default();
        sums.reset(self.n_params);
        for rows in Rows::blocks(0, self.n_residuals) {
            self.fold_block(rows, Some(loss.excess()), f, &mut sums);
        }
        loss::subtract_gram(&sums.factor, out);
        Ok(())
    }
}
