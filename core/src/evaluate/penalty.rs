//! Penalties on parameters: rows w (x_j - c) beneath the residuals of any problem.
//!
//! Half their sum of squares is added to the cost, as by Tikhonov (1963) against ill-posed problems; a normal prior
//! of mean c and standard deviation 1/w does the same. They are linear: second derivatives stay the inner problem's.

use std::borrow::Cow;

use super::reduction::{Reduction, reduction};
use super::{Beside, Evaluate, Failure, Linearization};
use crate::linear::qr;

/// One row w (x_j - c).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// j, among the free parameters.
    pub parameter: usize,
    pub center: f64,
    pub weight: f64,
}

impl Row {
    fn value(&self, x: &[f64]) -> f64 {
        self.weight * (x[self.parameter] - self.center)
    }
}

/// A problem with rows added at the end of its residuals.
pub struct Penalized<E> {
    inner: E,
    rows: Vec<Row>,
    /// The rows of [J f], column after column.
    block: Vec<f64>,
}

impl<E: Evaluate> Penalized<E> {
    /// Says which row names a parameter that does not exist.
    pub fn new(inner: E, rows: Vec<Row>) -> Result<Self, String> {
        let n = inner.n_params();
        match rows.iter().position(|row| row.parameter >= n) {
            Some(k) => Err(format!("penalty row {k}: free parameter {} of {n}", rows[k].parameter)),
            None => Ok(Penalized { inner, rows, block: Vec::new() }),
        }
    }

    /// How much of `f` is the inner problem's.
    fn split(&self) -> usize {
        self.inner.n_kept()
    }

    fn fill(&self, x: &[f64], f: &mut [f64]) {
        f.iter_mut().zip(&self.rows).for_each(|(f, row)| *f = row.value(x));
    }

    /// Adds the rows to the sums over the inner problem's.
    fn fold(&mut self, x: &[f64], out: &mut Linearization) {
        let (k, n) = (self.rows.len(), x.len());
        if k == 0 {
            return;
        }
        self.block.clear();
        self.block.resize(k * (n + 1), 0.0);
        for (i, row) in self.rows.iter().enumerate() {
            let (j, w, f) = (row.parameter, row.weight, row.value(x));
            self.block[j * k + i] = w;
            self.block[n * k + i] = f;
            out.gradient[j] += w * f;
            out.rounding[j] += w.abs() * ((w * x[j]).abs() + (w * row.center).abs() + f.abs());
        }
        let mut columns: Vec<&mut [f64]> = self.block.chunks_exact_mut(k).collect();
        qr::fold(&mut out.factor, &mut columns);
    }
}

impl<E: Evaluate> Evaluate for Penalized<E> {
    fn n_params(&self) -> usize {
        self.inner.n_params()
    }

    fn n_residuals(&self) -> usize {
        self.inner.n_residuals() + self.rows.len()
    }

    fn n_kept(&self) -> usize {
        self.split() + self.rows.len()
    }

    fn beside(&mut self, f: &[f64], g: &[f64]) -> Result<Beside, Failure> {
        let (own, added) = f.split_at(self.split());
        let (own1, added1) = g.split_at(own.len());
        let mut sums = self.inner.beside(own, own1)?;
        for (a, b) in added.iter().zip(added1) {
            sums.along += a * (b - a);
            sums.squares += (b - a) * (b - a);
        }
        Ok(sums)
    }

    fn residuals(&mut self, x: &[f64], f: &mut [f64]) -> Result<(), Failure> {
        let (own, added) = f.split_at_mut(self.split());
        self.fill(x, added);
        self.inner.residuals(x, own)
    }

    fn compare(
        &mut self,
        x: &[f64],
        before: Option<&[f64]>,
        f: &mut [f64],
        mut out: Option<&mut Linearization>,
    ) -> Result<(Reduction, bool), Failure> {
        let (own, added) = f.split_at_mut(self.split());
        let before = before.map(|f| f.split_at(own.len()));
        self.fill(x, added);
        let (mut change, linearized) = self.inner.compare(x, before.map(|b| b.0), own, out.as_deref_mut())?;
        change.add(&reduction(before.map_or(added, |b| b.1), added));
        if let (true, Some(out)) = (linearized, out) {
            self.fold(x, out);
        }
        Ok((change, linearized))
    }

    fn linearize(&mut self, x: &[f64], f: &[f64], out: &mut Linearization) -> Result<(), Failure> {
        self.inner.linearize(x, &f[..self.split()], out)?;
        self.fold(x, out);
        Ok(())
    }

    fn curvature_along(&mut self, x: &[f64], f: &[f64], v: &[f64], out: &mut [f64]) -> Result<bool, Failure> {
        let own = self.split();
        self.inner.curvature_along(x, &f[..own], v, out)
    }

    fn residual_hessian(&mut self, x: &[f64], f: &[f64], out: &mut [f64]) -> Result<bool, Failure> {
        let own = self.split();
        self.inner.residual_hessian(x, &f[..own], out)
    }

    fn approximates_hessian(&self) -> bool {
        self.inner.approximates_hessian()
    }

    fn slopes<'f>(&self, f: &'f [f64]) -> Cow<'f, [f64]> {
        let (own, added) = f.split_at(self.split());
        match self.inner.slopes(own) {
            Cow::Borrowed(_) => Cow::Borrowed(f),
            Cow::Owned(slopes) => [&slopes[..], added].concat().into(),
        }
    }

    fn has_edge(&self) -> bool {
        self.inner.has_edge()
    }

    fn subtract_excess(&mut self, x: &[f64], f: &[f64], out: &mut [f64]) -> Result<(), Failure> {
        let own = self.split();
        self.inner.subtract_excess(x, &f[..own], out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::callback::{Callback, Curvature};
    use super::*;

    const T: [f64; 5] = [0.0, 0.5, 1.0, 1.5, 2.0];
    const ROWS: [Row; 3] = [
        Row { parameter: 1, center: 0.9, weight: 2.0 },
        Row { parameter: 0, center: 0.0, weight: 0.5 },
        Row { parameter: 1, center: 0.0, weight: 0.25 },
    ];

    fn model(x: &[f64], k: usize) -> [f64; 3] {
        let e = (-x[1] * T[k]).exp();
        [x[0] * e - 1.0 / (1.0 + T[k]), e, -x[0] * T[k] * e]
    }

    /// a exp(-b t) - y, with `rows` of the penalty written out as residuals of the function itself.
    fn decay<'a>(rows: &'a [Row]) -> Callback<'a> {
        let residuals = Box::new(move |x: &[f64], f: &mut [f64]| {
            f.iter_mut().enumerate().for_each(|(i, f)| {
                *f = if i < T.len() { model(x, i)[0] } else { rows[i - T.len()].value(x) };
            });
            Ok(())
        });
        let jacobian = Box::new(move |x: &[f64], _: &[f64], out: &mut [f64]| {
            for (i, out) in out.chunks_exact_mut(2).enumerate() {
                out.fill(0.0);
                if i < T.len() {
                    out.copy_from_slice(&model(x, i)[1..]);
                } else {
                    out[rows[i - T.len()].parameter] = rows[i - T.len()].weight;
                }
            }
            Ok(())
        });
        Callback::new(2, T.len() + rows.len(), residuals, jacobian, Curvature::Differences(0.02))
    }

    fn gram(factor: &[f64]) -> Vec<f64> {
        (0..9).map(|e| (0..3).map(|i| factor[i * 3 + e / 3] * factor[i * 3 + e % 3]).sum()).collect()
    }

    #[test]
    fn added_rows_are_rows_of_the_problem() {
        let (mut added, mut whole) = (Penalized::new(decay(&[]), ROWS.to_vec()).unwrap(), decay(&ROWS));
        let (x, x1) = ([1.2, 0.7], [1.1, 0.8]);
        assert_eq!(added.n_residuals(), whole.n_residuals());
        let (mut f, mut g) = ([0.0; 8], [0.0; 8]);
        added.residuals(&x, &mut f).unwrap();
        whole.residuals(&x, &mut g).unwrap();
        assert_eq!(f, g);
        let (mut a, mut b) = (Linearization::default(), Linearization::default());
        added.linearize(&x, &f, &mut a).unwrap();
        whole.linearize(&x, &f, &mut b).unwrap();
        let pairs = gram(&a.factor).into_iter().zip(gram(&b.factor));
        assert!(pairs.chain(a.gradient.into_iter().zip(b.gradient)).all(|(a, b)| (a - b).abs() < 1e-14));
        let mut f1 = [0.0; 8];
        let (change, _) = added.compare(&x1, Some(&f), &mut f1, None).unwrap();
        let direct = reduction(&f, &f1);
        assert!((change.actual - direct.actual).abs() < 1e-15 && (change.total - direct.total).abs() < 1e-15);
        assert_eq!(change.rows, direct.rows);
    }

    #[test]
    fn second_derivatives_are_those_of_the_inner_problem() {
        let (mut added, mut alone) = (Penalized::new(decay(&[]), ROWS.to_vec()).unwrap(), decay(&[]));
        let (x, v, mut f) = ([1.2, 0.7], [0.3, -0.1], [0.0; 8]);
        added.residuals(&x, &mut f).unwrap();
        let (mut a, mut b) = ([0.0; 2], [0.0; 2]);
        assert!(added.curvature_along(&x, &f, &v, &mut a).unwrap());
        assert!(alone.curvature_along(&x, &f[..5], &v, &mut b).unwrap());
        assert_eq!(a, b);
        assert!(!added.residual_hessian(&x, &f, &mut [0.0; 4]).unwrap());
    }

    #[test]
    fn rounding_of_a_row_is_that_of_its_terms() {
        let mut added = Penalized::new(decay(&[]), vec![ROWS[0]]).unwrap();
        let (x, mut with, mut without) = ([1.2, 0.7], Linearization::default(), Linearization::default());
        let mut f = [0.0; 6];
        added.residuals(&x, &mut f).unwrap();
        added.linearize(&x, &f, &mut with).unwrap();
        decay(&[]).linearize(&x, &f[..5], &mut without).unwrap();
        assert_eq!(with.rounding[0], without.rounding[0]);
        assert!((with.rounding[1] - without.rounding[1] - 2.0 * (1.4 + 1.8 + 0.4)).abs() < 1e-14);
    }

    #[test]
    fn a_row_on_no_parameter_is_refused() {
        let row = Row { parameter: 2, center: 0.0, weight: 1.0 };
        assert_eq!(
            Penalized::new(decay(&[]), vec![row]).err().unwrap(),
            "penalty row 0: free parameter 2 of 2"
        );
    }
}
