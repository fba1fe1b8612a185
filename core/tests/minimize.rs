//! The loop on a small problem written out by hand.

use marquardt_core::evaluate::{Evaluate, Failure, Linearization};
use marquardt_core::minimize::{Control, Options, Outcome, Progress, Status, minimize};

/// residuals (a exp(-b t) + c - y) * scale, and constant rows that depend on nothing.
struct Decay {
    t: Vec<f64>,
    y: Vec<f64>,
    constants: Vec<f64>,
    scale: f64,
    unit: [f64; 3],
    evaluations: usize,
}

impl Decay {
    fn new(constants: &[f64]) -> Self {
        let t: Vec<f64> = (0..20).map(|i| f64::from(i) / 5.0).collect();
        let y = t.iter().map(|t| 5.0 * (-1.3 * t).exp() + 1.0 + 0.1 * (17.0 * t).sin()).collect();
        Decay { t, y, constants: constants.to_vec(), scale: 1.0, unit: [1.0; 3], evaluations: 0 }
    }

    fn parameters(&self, x: &[f64]) -> [f64; 3] {
        [x[0] * self.unit[0], x[1] * self.unit[1], x[2] * self.unit[2]]
    }

    fn rows(&self, x: &[f64]) -> Vec<[f64; 4]> {
        let [a, b, c] = self.parameters(x);
        let mut rows: Vec<[f64; 4]> = (self.t.iter().zip(&self.y))
            .map(|(&t, &y)| {
                let e = (-b * t).exp();
                let s = self.scale;
                [e * self.unit[0] * s, -a * t * e * self.unit[1] * s, self.unit[2] * s, (a * e + c - y) * s]
            })
            .collect();
        rows.extend(self.constants.iter().map(|&c| [0.0, 0.0, 0.0, c]));
        rows
    }
}

impl Evaluate for Decay {
    fn n_params(&self) -> usize {
        3
    }
    fn n_residuals(&self) -> usize {
        self.t.len() + self.constants.len()
    }
    fn residuals(&mut self, x: &[f64], f: &mut [f64]) -> Result<(), Failure> {
        self.evaluations += 1;
        for (f, row) in f.iter_mut().zip(self.rows(x)) {
            *f = row[3];
        }
        Ok(())
    }
    fn linearize(&mut self, x: &[f64], _f: &[f64], out: &mut Linearization) -> Result<(), Failure> {
        let rows = self.rows(x);
        out.factor = vec![0.0; 16];
        for row in &rows {
            fold(&mut out.factor, *row);
        }
        out.gradient = (0..3).map(|j| rows.iter().map(|r| r[j] * r[3]).sum()).collect();
        let size = |i: usize| self.y.get(i).map_or(0.0, |y| 2.0 * y.abs() * self.scale);
        out.rounding = (0..3)
            .map(|j| rows.iter().enumerate().map(|(i, r)| r[j].abs() * (size(i) + 2.0 * r[3].abs())).sum())
            .collect();
        Ok(())
    }
    fn curvature_along(
        &mut self,
        x: &[f64],
        _f: &[f64],
        v: &[f64],
        out: &mut [f64],
    ) -> Result<bool, Failure> {
        let [a, b, _] = self.parameters(x);
        let [va, vb, _] = self.parameters(v);
        out.fill(0.0);
        for (&t, row) in self.t.iter().zip(self.rows(x)) {
            let f_vv = (-b * t).exp() * (a * t * t * vb * vb - 2.0 * t * va * vb) * self.scale;
            for j in 0..3 {
                out[j] += row[j] * f_vv;
            }
        }
        Ok(true)
    }
    fn residual_hessian(&mut self, _x: &[f64], _f: &[f64], _out: &mut [f64]) -> Result<bool, Failure> {
        Ok(false)
    }
}

/// One row into a triangular factor by Givens rotations.
fn fold(factor: &mut [f64], mut row: [f64; 4]) {
    for k in 0..4 {
        if row[k] == 0.0 {
            continue;
        }
        let r = factor[k * 4 + k].hypot(row[k]);
        let (c, s) = (factor[k * 4 + k] / r, row[k] / r);
        for j in k..4 {
            let (a, b) = (factor[k * 4 + j], row[j]);
            (factor[k * 4 + j], row[j]) = (c * a + s * b, c * b - s * a);
        }
    }
}

const FREE: ([f64; 3], [f64; 3]) = ([f64::NEG_INFINITY; 3], [f64::INFINITY; 3]);

fn run(problem: &mut Decay, x0: [f64; 3], bounds: ([f64; 3], [f64; 3])) -> Outcome {
    let mut observe = |_: &Progress| Control::Continue;
    minimize(problem, &x0, &bounds.0, &bounds.1, &Options::default(), &mut observe).ok().unwrap()
}

#[test]
fn a_decay_is_fitted_and_certified() {
    let end = run(&mut Decay::new(&[]), [1.0, 1.0, 0.0], FREE);
    assert_eq!(end.status, Status::Converged);
    assert!(end.offset <= 1e-8 && end.scaled_gradient <= 8.0 && end.rank == 3);
    assert!((end.x[0] - 5.0).abs() < 0.1 && (end.x[1] - 1.3).abs() < 0.1, "{:?}", end.x);
    assert!(end.nfev <= 20, "{}", end.nfev);
}

#[test]
fn a_constant_residual_changes_nothing() {
    let alone = run(&mut Decay::new(&[]), [1.0, 1.0, 0.0], FREE);
    for c in [1e4, 1e8, 1e12] {
        let beside = run(&mut Decay::new(&[c]), [1.0, 1.0, 0.0], FREE);
        assert_eq!((alone.x.clone(), alone.nfev), (beside.x, beside.nfev), "c = {c}");
    }
}

#[test]
fn units_that_are_powers_of_two_give_the_same_bits() {
    let plain = run(&mut Decay::new(&[]), [1.0, 1.0, 0.5], FREE);
    for k in [-40, 7, 40] {
        let mut problem = Decay::new(&[]);
        let unit = 2f64.powi(k);
        problem.scale = 2f64.powi(-k);
        problem.unit = [unit, 1.0 / unit, 1.0];
        let end = run(&mut problem, [1.0 / unit, unit, 0.5], FREE);
        assert_eq!(plain.x, [end.x[0] * unit, end.x[1] / unit, end.x[2]]);
        assert_eq!(plain.nfev, end.nfev);
    }
}

#[test]
fn an_active_bound_is_reached_exactly_and_reported() {
    let bounds = ([0.0; 3], [10.0, 1.0, 10.0]);
    let end = run(&mut Decay::new(&[]), [1.0, 0.5, 0.0], bounds);
    assert_eq!((end.status, end.x[1], end.active), (Status::ConvergedAtBound, 1.0, vec![0, 1, 0]));
}

#[test]
fn a_stop_from_the_observer_returns_the_best_point() {
    let mut problem = Decay::new(&[]);
    let mut seen = Vec::new();
    let mut observe = |p: &Progress| {
        seen.push(p.cost);
        if p.nfev >= 3 { Control::Stop } else { Control::Continue }
    };
    let end = minimize(&mut problem, &[1.0, 1.0, 0.0], &FREE.0, &FREE.1, &Options::default(), &mut observe);
    let end = end.ok().unwrap();
    assert_eq!((end.status, end.nfev), (Status::Interrupted, 3));
    let cost = 0.5 * end.f.iter().map(|f| f * f).sum::<f64>();
    assert!((cost / seen.last().unwrap() - 1.0).abs() < 1e-14);
}

#[test]
fn the_budget_ends_the_fit_and_says_so() {
    let mut observe = |_: &Progress| Control::Continue;
    let options = Options { max_evaluations: Some(2), ..Options::default() };
    let end = minimize(&mut Decay::new(&[]), &[1.0, 1.0, 0.0], &FREE.0, &FREE.1, &options, &mut observe);
    let end = end.ok().unwrap();
    assert_eq!((end.status, end.njev), (Status::MaxEvaluations, 2));
}
