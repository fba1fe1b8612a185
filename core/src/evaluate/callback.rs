//! Least squares of functions the caller evaluates: residuals and derivatives come as dense arrays from closures.

use std::borrow::Cow;

use super::accumulate::{self, RowData};
use super::reduction::Reduction;
use super::{Evaluate, Failure, Linearization};
use crate::cost::{self, Cost, CostOf};
use crate::loss::Part;
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
    approximate: bool,
    /// |y| w of each residual, where the residuals are (model - y) w.
    observed: Option<Vec<f64>>,
    cost: Option<Cost>,
    /// Of a likelihood: how often each row counts, or its trials.
    cases: Option<Vec<f64>>,
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
            approximate: false,
            observed: None,
            cost: None,
            cases: None,
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

    /// A Hessian for steps alone, such as one learnt from the gradients on the way.
    pub fn with_approximate_hessian(mut self, hessian: FillWith<'a>) -> Self {
        self.approximate = true;
        self.with_hessian(hessian)
    }

    pub fn with_observed(mut self, observed: Vec<f64>) -> Self {
        assert_eq!(observed.len(), self.n_residuals);
        self.observed = Some(observed);
        self
    }

    /// With a likelihood `observed` are the observations themselves, and given before.
    pub fn with_cost(mut self, cost: Option<Cost>, cases: Option<Vec<f64>>) -> Result<Self, String> {
        let likelihood = matches!(cost, Some(Cost::Likelihood(_)));
        if likelihood && self.observed.is_none()
            || cases.as_ref().is_some_and(|c| c.len() != self.n_residuals)
        {
            return Err("a likelihood needs observations, and as many cases".into());
        }
        (self.cost, self.cases) = (cost, cases);
        Ok(self)
    }

    fn cost_of(&self, part: Part) -> Option<CostOf<'_>> {
        let y = self.observed.as_deref().unwrap_or(&[]);
        self.cost.as_ref().map(|cost| CostOf { cost, part, y, cases: self.cases.as_deref() })
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
    fn fold_block(&mut self, rows: Rows, part: Part, f: &[f64], out: &mut Linearization) {
        let p = self.n_params;
        let f = &f[rows.start..][..rows.len];
        let mut transposed = vec![0.0; p * rows.len];
        for (i, row) in self.jac[rows.start * p..][..rows.len * p].chunks_exact(p.max(1)).enumerate() {
            row.iter().enumerate().for_each(|(j, &value)| transposed[j * rows.len + i] = value);
        }
        let derivative = |j: usize| Operand::Column(&transposed[j * rows.len..][..rows.len]);
        let y = self.observed.as_ref().map(|y| &y[rows.start..][..rows.len]);
        let (mut columns, mut magnitude) =
            (std::mem::take(&mut self.columns), std::mem::take(&mut self.magnitude));
        let cost = self.cost_of(part).map(|cost| cost.rows(rows.start, rows.len));
        let data = RowData { model: Operand::Column(f), y, w: None, cost };
        let block = accumulate::Rows {
            derivative,
            rows: data,
            f,
            columns: &mut columns,
            magnitude: &mut magnitude,
            out,
        };
        block.fold(self.level);
        (self.columns, self.magnitude) = (columns, magnitude);
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
        Ok((cost::reduction(self.cost_of(Part::Model), before.unwrap_or(f), f), false))
    }

    fn linearize(&mut self, x: &[f64], f: &[f64], out: &mut Linearization) -> Result<(), Failure> {
        self.evaluate_jacobian(x, f)?;
        out.reset(self.n_params);
        for rows in Rows::blocks(0, self.n_residuals) {
            self.fold_block(rows, Part::Model, f, out);
        }
        Ok(())
    }

    fn curvature_along(&mut self, x: &[f64], f: &[f64], v: &[f64], out: &mut [f64]) -> Result<bool, Failure> {
        self.evaluate_jacobian(x, f)?;
        let mut second = vec![0.0; self.n_residuals];
        self.second(x, f, v, &mut second)?;
        out.fill(0.0);
        if let Some(cost) = self.cost_of(Part::Model) {
            cost.each_curvature(f, |i, h| second[i] *= h);
        }
        for (row, second) in self.jac.chunks_exact(self.n_params.max(1)).zip(second) {
            out.iter_mut().zip(row).for_each(|(out, j)| *out += j * second);
        }
        Ok(out.iter().all(|o| o.is_finite()))
    }

    fn residual_hessian(&mut self, x: &[f64], f: &[f64], out: &mut [f64]) -> Result<bool, Failure> {
        let Some(mut fill) = self.hessian.take() else { return Ok(false) };
        let filled = fill(x, &self.slopes(f), out);
        self.hessian = Some(fill);
        filled?;
        self.subtract_excess(x, f, out)?;
        Ok(out.iter().all(|o| o.is_finite()))
    }

    fn approximates_hessian(&self) -> bool {
        self.approximate
    }

    fn slopes<'f>(&self, f: &'f [f64]) -> Cow<'f, [f64]> {
        cost::slopes(self.cost_of(Part::Model), f)
    }

    fn has_edge(&self) -> bool {
        self.cost.as_ref().is_some_and(Cost::has_edge)
    }

    fn subtract_excess(&mut self, x: &[f64], f: &[f64], out: &mut [f64]) -> Result<(), Failure> {
        let Some(cost) = &self.cost else { return Ok(()) };
        let parts = if cost.has_shortfall() {
            &[(Part::Excess, -1.0), (Part::Shortfall, 1.0)][..]
        } else {
            &[(Part::Excess, -1.0)]
        };
        self.evaluate_jacobian(x, f)?;
        let mut sums = Linearization::default();
        for &(part, sign) in parts {
            sums.reset(self.n_params);
            for rows in Rows::blocks(0, self.n_residuals) {
                self.fold_block(rows, part, f, &mut sums);
            }
            cost::add_gram(sign, &sums.factor, out);
        }
        Ok(())
    }
}
