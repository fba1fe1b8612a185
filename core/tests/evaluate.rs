//! Folding, and the curve evaluator against sums written out.

use std::sync::Arc;

use marquardt_core::evaluate::callback::{Callback, Curvature};
use marquardt_core::evaluate::curve::{Block, Curve, Programs};
use marquardt_core::evaluate::penalty::{Penalized, Row};
use marquardt_core::evaluate::{Evaluate, Linearization};
use marquardt_core::linear::qr;
use marquardt_core::tape::{Level, Tape, TapeSpec, opcodes};

fn code(name: &str) -> u32 {
    opcodes().iter().find(|row| row.0 == name).unwrap().1
}

/// Numbers in -1..1 from a linear congruence.
fn numbers(n: usize, mut seed: u64) -> Vec<f64> {
    (0..n)
        .map(|_| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 11) as f64 / 4503599627370496.0 - 1.0
        })
        .collect()
}

fn gram(columns: &[Vec<f64>], scale: f64) -> Vec<f64> {
    let c = columns.len();
    (0..c * c)
        .map(|k| columns[k / c].iter().zip(&columns[k % c]).map(|(a, b)| a * scale * b * scale).sum())
        .collect()
}

fn gram_of_factor(r: &[f64], c: usize, scale: f64) -> Vec<f64> {
    (0..c * c).map(|k| (0..c).map(|i| r[i * c + k / c] * scale * r[i * c + k % c] * scale).sum()).collect()
}

#[test]
fn folded_blocks_have_the_gram_matrix_of_all_rows() {
    for c in [1, 2, 3, 4, 5, 7, 9, 12, 21] {
        let columns: Vec<Vec<f64>> = (0..c).map(|j| numbers(700, j as u64)).collect();
        let mut factor = vec![0.0; c * c];
        for (start, end) in [(0, 300), (300, 301), (301, 313), (313, 700)] {
            let mut block: Vec<Vec<f64>> = columns.iter().map(|x| x[start..end].to_vec()).collect();
            let mut slices: Vec<&mut [f64]> = block.iter_mut().map(|x| &mut x[..]).collect();
            qr::fold(&mut factor, &mut slices);
        }
        for (a, b) in gram_of_factor(&factor, c, 1.0).iter().zip(gram(&columns, 1.0)) {
            assert!((a - b).abs() < 1e-11, "{c}: {a} {b}");
        }
        assert!((0..c * c).all(|k| k / c <= k % c || factor[k] == 0.0));
    }
}

#[test]
fn zero_columns_stay_zero_and_nan_does_not_stop_the_fold() {
    let mut block = [numbers(50, 1), vec![0.0; 50], numbers(50, 2)];
    let mut factor = vec![0.0; 9];
    let mut slices: Vec<&mut [f64]> = block.iter_mut().map(|x| &mut x[..]).collect();
    qr::fold(&mut factor, &mut slices);
    assert_eq!((factor[1], factor[4], factor[5]), (0.0, 0.0, 0.0));
    let mut bad = [vec![f64::NAN; 50], vec![f64::INFINITY; 50], numbers(50, 2)];
    let mut slices: Vec<&mut [f64]> = bad.iter_mut().map(|x| &mut x[..]).collect();
    qr::fold(&mut factor, &mut slices);
    assert!(factor[0].is_nan());
}

#[test]
fn squares_that_overflow_or_vanish_are_no_obstacle() {
    for scale in [2f64.powi(-1000), 2f64.powi(-560), 2f64.powi(560), 2f64.powi(1000)] {
        let columns: Vec<Vec<f64>> = (0..3).map(|j| numbers(100, j)).collect();
        let mut block: Vec<Vec<f64>> =
            columns.iter().map(|x| x.iter().map(|v| v * scale).collect()).collect();
        let mut factor = vec![0.0; 9];
        let mut slices: Vec<&mut [f64]> = block.iter_mut().map(|x| &mut x[..]).collect();
        qr::fold(&mut factor, &mut slices);
        for (a, b) in gram_of_factor(&factor, 3, 1.0 / scale).iter().zip(gram(&columns, 1.0)) {
            assert!((a - b).abs() < 1e-12, "{scale}: {a} {b}");
        }
    }
}

#[test]
fn a_block_that_vanishes_beside_the_others_changes_nothing() {
    let columns: Vec<Vec<f64>> = (0..3).map(|j| numbers(100, j)).collect();
    for (large, small) in [(1.0, 1e-170), (1e150, 1e-150), (1e200, 1.0), (1e-20, 1e-200), (1.0, 1e-310)] {
        let mut factor = vec![0.0; 9];
        for scale in [large, small] {
            let mut block: Vec<Vec<f64>> =
                columns.iter().map(|x| x.iter().map(|v| v * scale).collect()).collect();
            let mut slices: Vec<&mut [f64]> = block.iter_mut().map(|x| &mut x[..]).collect();
            qr::fold(&mut factor, &mut slices);
        }
        for (a, b) in gram_of_factor(&factor, 3, 1.0 / large).iter().zip(gram(&columns, 1.0)) {
            assert!((a - b).abs() < 1e-12, "{large} {small}: {a} {b}");
        }
    }
}

/// Model a exp(-b x) with parameters (a, b, unused): value, d/da, d/db; curvature; Hessian.
fn programs() -> Programs {
    let base = |outputs: Vec<u32>, n_params: usize, more: &[[u32; 5]]| {
        // slots: params | -b | x | registers
        let (r, x) = (n_params as u32 + 2, n_params as u32 + 1);
        let mut rows = vec![
            [code("mul"), r, r - 2, x, 0],
            [code("exp"), r + 1, r, 0, 0],
            [code("mul"), r + 2, 0, r + 1, 0],
            [code("mul"), r + 3, r + 2, x, 0],
            [code("neg"), r + 4, r + 3, 0, 0],
        ];
        rows.extend_from_slice(more);
        Tape::new(TapeSpec {
            n_params,
            prologue: vec![[code("neg"), n_params as u32, 1, 0, 0]],
            n_inputs: 1,
            code: rows,
            n_registers: 9,
            outputs,
            ..TapeSpec::default()
        })
        .unwrap()
    };
    // f_vv = v1 (a x^2 e v1 - 2 x e v0), directions in slots 3 and 4, registers from 7
    let second = [
        [code("mul"), 12, 10, 6, 0],  // a x^2 e
        [code("mul"), 13, 6, 8, 0],   // x e
        [code("mul"), 14, 12, 4, 0],  // a x^2 e v1
        [code("add"), 15, 13, 13, 0], // 2 x e
        [code("mul"), 12, 15, 3, 0],
        [code("sub"), 13, 14, 12, 0],
        [code("mul"), 14, 13, 4, 0],
    ];
    // pairs (1, 0): -x e, (1, 1): a x^2 e; registers from 5, x in slot 4
    let pairs = [[code("mul"), 10, 8, 4, 0], [code("mul"), 11, 4, 6, 0], [code("neg"), 12, 11, 0, 0]];
    Programs {
        value: base(vec![7], 3, &[]),
        jacobian: base(vec![7, 6, 9], 3, &[]),
        curvature: Some(base(vec![8, 11, 14], 5, &second)),
        hessian: Some((base(vec![12, 10], 3, &pairs), vec![(1, 0), (1, 1)])),
    }
}

fn curve(n: usize, threads: usize) -> Curve {
    let x: Vec<f64> = (0..n).map(|i| 3.0 * i as f64 / n as f64).collect();
    let block = Block {
        programs: Arc::new(programs()),
        columns: vec![Arc::new(x)],
        y: Some(Arc::new(numbers(n, 5))),
        w: Some(Arc::new(numbers(n, 6).iter().map(|v| 1.5 + v).collect::<Vec<f64>>())),
        cases: None,
        n_rows: n,
        n_outputs: 1,
    };
    Curve::new(vec![block], vec![0.0; 3], vec![0, 1], threads, Level::best()).unwrap()
}

#[test]
fn a_penalty_is_folded_in_the_pass_that_evaluates() {
    for n in [20, 70_000] {
        let row = Row { parameter: 1, center: 0.5, weight: 3.0 };
        let mut problem = Penalized::new(curve(n, 2), vec![row]).unwrap();
        let (x, mut f, mut there) = ([2.0, 0.7], vec![0.0; n + 1], vec![0.0; n + 1]);
        problem.residuals(&[1.9, 0.8], &mut f).unwrap();
        let (mut fused, mut apart) = (Linearization::default(), Linearization::default());
        let (change, linearized) = problem.compare(&x, Some(&f), &mut there, Some(&mut fused)).unwrap();
        assert!(linearized && (there[n] - 0.6).abs() < 1e-15);
        assert!((change.total - dot(&there, &there)).abs() < 1e-9 * change.total && change.rows == n + 1);
        problem.linearize(&x, &there, &mut apart).unwrap();
        let pairs = fused.factor.iter().zip(&apart.factor).chain(fused.gradient.iter().zip(&apart.gradient));
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() <= 1e-12 * b.abs().max(1.0)));
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn curve_agrees_with_sums_written_out() {
    for n in [1, 20, 300, 5000] {
        let (a, b, v) = (2.0, 0.7, [0.3, -0.2]);
        let (y, w) = (numbers(n, 5), numbers(n, 6));
        let mut rows = [const { Vec::new() }; 6];
        for i in 0..n {
            let (x, w) = (3.0 * i as f64 / n as f64, 1.5 + w[i]);
            let e = (-b * x).exp();
            let second = v[1] * (a * x * x * e * v[1] - 2.0 * x * e * v[0]);
            let residual = (a * e - y[i]) * w;
            let values = [residual, e * w, -a * x * e * w, second * w, -x * e * w, a * x * x * e * w];
            rows.iter_mut().zip(values).for_each(|(r, value)| r.push(value));
        }
        let mut problem = curve(n, 1);
        let mut f = vec![0.0; n];
        problem.residuals(&[a, b], &mut f).unwrap();
        assert!(f.iter().zip(&rows[0]).all(|(f, r)| (f - r).abs() < 1e-14));
        let mut lin = Linearization::default();
        problem.linearize(&[a, b], &f, &mut lin).unwrap();
        let close = |found: f64, exact: f64| assert!((found - exact).abs() < 1e-10, "{n}: {found} {exact}");
        close(lin.gradient[0], dot(&rows[1], &rows[0]));
        close(lin.gradient[1], dot(&rows[2], &rows[0]));
        let all = [rows[1].clone(), rows[2].clone(), rows[0].clone()];
        gram_of_factor(&lin.factor, 3, 1.0).iter().zip(gram(&all, 1.0)).for_each(|(a, b)| close(*a, b));
        let mut out = [0.0; 2];
        assert!(problem.curvature_along(&[a, b], &f, &v, &mut out).unwrap());
        close(out[0], dot(&rows[1], &rows[3]));
        close(out[1], dot(&rows[2], &rows[3]));
        let mut hessian = [0.0; 4];
        assert!(problem.residual_hessian(&[a, b], &f, &mut hessian).unwrap());
        let (off, diagonal) = (dot(&rows[4], &f), dot(&rows[5], &f));
        hessian.iter().zip([0.0, off, off, diagonal]).for_each(|(a, b)| close(*a, b));
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let n = 200_000;
    let mut found = Vec::new();
    for threads in [1, 2, 3] {
        let (mut problem, mut f, mut lin) = (curve(n, threads), vec![0.0; n], Linearization::default());
        problem.residuals(&[2.0, 0.7], &mut f).unwrap();
        problem.linearize(&[2.0, 0.7], &f, &mut lin).unwrap();
        let all = [f, lin.factor, lin.gradient, lin.rounding].concat();
        found.push(all.iter().map(|v| v.to_bits()).collect::<Vec<u64>>());
    }
    assert!(found[0] == found[1] && found[0] == found[2]);
}

#[test]
fn callback_agrees_with_the_curve() {
    let (n, x) = (700, [2.0, 0.7]);
    let mut problem = curve(n, 1);
    let (mut f, mut expected) = (vec![0.0; n], Linearization::default());
    problem.residuals(&x, &mut f).unwrap();
    problem.linearize(&x, &f, &mut expected).unwrap();
    let w = numbers(n, 6);
    let mut inner = curve(n, 1);
    let jacobian = |x: &[f64], _f: &[f64], out: &mut [f64]| {
        for i in 0..n {
            let (t, w) = (3.0 * i as f64 / n as f64, 1.5 + w[i]);
            let e = (-x[1] * t).exp();
            out[i * 2..][..2].copy_from_slice(&[e * w, -x[0] * t * e * w]);
        }
        Ok(())
    };
    let residuals = Box::new(move |x: &[f64], f: &mut [f64]| inner.residuals(x, f));
    let mut callback = Callback::new(2, n, residuals, Box::new(jacobian), Curvature::Differences(0.02));
    let mut lin = Linearization::default();
    callback.linearize(&x, &f, &mut lin).unwrap();
    for (a, b) in lin.factor.iter().zip(&expected.factor).chain(lin.gradient.iter().zip(&expected.gradient)) {
        assert!((a - b).abs() < 1e-11);
    }
    let (mut exact, mut differences) = ([0.0; 2], [0.0; 2]);
    problem.curvature_along(&x, &f, &[0.3, -0.2], &mut exact).unwrap();
    assert!(callback.curvature_along(&x, &f, &[0.3, -0.2], &mut differences).unwrap());
    assert!(exact.iter().zip(differences).all(|(a, b)| (a - b).abs() < 0.02 * a.abs()));
}
