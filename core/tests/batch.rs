//! Fits in lanes against a plain loop over single ones.

use marquardt_core::batch::{Data, Ends, Numbers, Table, Way, run};
use marquardt_core::likelihood::Family;
use marquardt_core::tape::{Level, Real, Tape, TapeSpec, opcodes};

const M: usize = 24;

fn code(name: &str) -> u32 {
    opcodes().iter().find(|row| row.0 == name).unwrap().1
}

/// a exp(-b x) and its derivatives by a and b.
fn decay() -> Tape {
    let rows = [("mul", 4, 2, 3), ("exp", 5, 4, 0), ("mul", 6, 0, 5), ("mul", 7, 6, 3), ("neg", 8, 7, 0)];
    Tape::new(TapeSpec {
        n_params: 2,
        prologue: vec![[code("neg"), 2, 1, 0, 0]],
        n_inputs: 1,
        code: rows.iter().map(|&(op, to, a, b)| [code(op), to, a, b, 0]).collect(),
        n_registers: 5,
        outputs: vec![6, 5, 8],
        ..TapeSpec::default()
    })
    .unwrap()
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

fn points() -> Vec<f64> {
    (0..M).map(|i| 4.0 * i as f64 / M as f64).collect()
}

/// Decays of all heights and rates, with noise.
fn responses(k: usize) -> Vec<f64> {
    let (x, shape, noise) = (points(), numbers(2 * k, 1), numbers(k * M, 2));
    let value = |i: usize| {
        let (a, b) = (3.0 + 2.0 * shape[2 * (i / M)], 1.0 + 0.7 * shape[2 * (i / M) + 1]);
        a * (-b * x[i % M]).exp() + 0.05 * noise[i]
    };
    (0..k * M).map(value).collect()
}

const START: [f64; 2] = [2.0, 1.5];
const NO_BOUND: [f64; 2] = [f64::INFINITY; 2];

struct Fits {
    x: Vec<f64>,
    cost: Vec<f64>,
    status: Vec<i8>,
    stderr: Vec<f64>,
    n_points: Vec<i32>,
}

struct Job<'a> {
    x: &'a [f64],
    y: &'a [f64],
    weights: Option<&'a [f64]>,
    mask: Option<&'a [bool]>,
    lower: [f64; 2],
    upper: [f64; 2],
    family: Option<Family>,
}

impl<'a> Job<'a> {
    fn new(x: &'a [f64], y: &'a [f64]) -> Self {
        let lower = NO_BOUND.map(|b| -b);
        Job { x, y, weights: None, mask: None, lower, upper: NO_BOUND, family: None }
    }

    fn fit(&self, level: Level, threads: usize) -> Fits {
        self.fit_in::<f64>(level, threads)
    }

    /// In lanes of numbers `T`.
    fn fit_in<T: Real>(&self, level: Level, threads: usize) -> Fits {
        let k = self.y.len() / M;
        let data = Data {
            n_fits: k,
            n_points: M,
            y: Numbers::Double(self.y),
            columns: vec![Table::Shared(self.x)],
            weights: self.weights.map(Table::Own),
            mask: self.mask,
            values: &START,
            held: None,
            free: &[0, 1],
            start: Table::Shared(&START),
            lower: Table::Shared(&self.lower),
            upper: Table::Shared(&self.upper),
            family: self.family,
            scaled: self.family.is_none(),
        };
        data.check().unwrap();
        let (mut x, mut cost, mut rss) = (vec![0.0; 2 * k], vec![0.0; k], vec![0.0; k]);
        let (mut status, mut nfev, mut n_points) = (vec![-1; k], vec![0; k], vec![0; k]);
        let (mut njev, mut rank, mut stderr) = (vec![0; k], vec![0; k], vec![0.0; 2 * k]);
        let ends = Ends {
            x: &mut x,
            cost: &mut cost,
            rss: &mut rss,
            status: &mut status,
            in_doubt: -1,
            nfev: &mut nfev,
            njev: &mut njev,
            n_points: &mut n_points,
            rank: &mut rank,
            stderr: &mut stderr,
            covariance: None,
        };
        let tape = decay();
        assert!(run::<T>(Way::Points(&tape), &data, level, threads, ends));
        assert!(njev == nfev && rank.iter().all(|&r| r == 2));
        Fits { x, cost, status, stderr, n_points }
    }
}

/// Sum of squares, gradient (2), normal matrix (3) at a, b.
fn sums(x: &[f64], y: &[f64], [a, b]: [f64; 2]) -> (f64, [f64; 2], [f64; 3]) {
    let (mut rss, mut g, mut h) = (0.0, [0.0; 2], [0.0; 3]);
    for (x, y) in x.iter().zip(y) {
        let e = (-b * x).exp();
        let (f, d) = (a * e - y, [e, -a * x * e]);
        rss += f * f;
        (0..2).for_each(|j| g[j] += d[j] * f);
        (h[0], h[1], h[2]) = (h[0] + d[0] * d[0], h[1] + d[0] * d[1], h[2] + d[1] * d[1]);
    }
    (rss, g, h)
}

/// The square roots of the diagonal of (J'J)^-1 times the variance of a residual.
fn standard_errors(x: &[f64], y: &[f64], at: [f64; 2]) -> [f64; 2] {
    let (rss, _, h) = sums(x, y, at);
    let scale = rss / (x.len() - 2) as f64 / (h[0] * h[2] - h[1] * h[1]);
    [h[2] * scale, h[0] * scale].map(f64::sqrt)
}

/// Levenberg and Marquardt's loop for one fit, until nothing moves.
fn reference(x: &[f64], y: &[f64]) -> ([f64; 2], f64) {
    let (mut at, mut damping) = (START, 1e-3);
    for _ in 0..200 {
        let (rss, g, h) = sums(x, y, at);
        let (p, q, r) = (h[0] * (1.0 + damping), h[1], h[2] * (1.0 + damping));
        let det = p * r - q * q;
        let trial = [at[0] - (r * g[0] - q * g[1]) / det, at[1] - (p * g[1] - q * g[0]) / det];
        let lower = sums(x, y, trial).0 <= rss;
        damping *= if lower { 0.1 } else { 10.0 };
        at = if lower { trial } else { at };
    }
    (at, sums(x, y, at).0)
}

#[test]
fn lanes_end_where_a_loop_of_one_fit_ends() {
    let (x, y) = (points(), responses(3000));
    let found = Job::new(&x, &y).fit(Level::best(), 2);
    assert!(found.status.iter().filter(|s| **s == 0).count() > 2950);
    for k in (0..3000).filter(|&k| found.status[k] == 0) {
        let (at, rss) = reference(&x, &y[k * M..][..M]);
        let errors = standard_errors(&x, &y[k * M..][..M], at);
        assert!((2.0 * found.cost[k] / rss - 1.0).abs() < 1e-6);
        for j in 0..2 {
            let error = errors[j];
            assert!((found.stderr[2 * k + j] / error - 1.0).abs() < 1e-2, "{k} {j}");
            assert!((found.x[2 * k + j] - at[j]).abs() < 1e-3 * error, "{k} {j}");
        }
    }
}

#[test]
fn lanes_of_single_precision_end_within_a_hundredth_of_a_standard_error() {
    let (x, y) = (points(), responses(3000));
    for level in ["baseline", "avx2", "avx512"].into_iter().filter_map(Level::named) {
        let found = Job::new(&x, &y).fit_in::<f32>(level, 2);
        assert!(found.status.iter().filter(|s| **s == 0).count() > 2900);
        for k in (0..3000).filter(|&k| found.status[k] == 0) {
            let (at, rss) = reference(&x, &y[k * M..][..M]);
            let errors = standard_errors(&x, &y[k * M..][..M], at);
            assert!((2.0 * found.cost[k] / rss - 1.0).abs() < 1e-4);
            for j in 0..2 {
                let error = errors[j];
                assert!((found.stderr[2 * k + j] / error - 1.0).abs() < 1e-2, "{k} {j}");
                assert!((found.x[2 * k + j] - at[j]).abs() < 1e-2 * error, "{k} {j}");
            }
        }
    }
}

#[test]
fn threads_and_chunks_make_no_difference() {
    alike::<f64>();
    alike::<f32>();
}

fn alike<T: Real>() {
    let (x, y) = (points(), responses(4500));
    let whole = Job::new(&x, &y).fit_in::<T>(Level::best(), 1);
    for threads in [2, 3] {
        let again = Job::new(&x, &y).fit_in::<T>(Level::best(), threads);
        assert!(again.x == whole.x && again.cost == whole.cost && again.stderr == whole.stderr);
    }
    for (first, n) in [(0, 1), (17, 31), (1000, 33), (2040, 100)] {
        let part = Job::new(&x, &y[first * M..][..n * M]).fit_in::<T>(Level::best(), 2);
        assert_eq!(part.x, whole.x[2 * first..][..2 * n]);
        assert_eq!(part.status, whole.status[first..][..n]);
    }
}

#[test]
fn every_level_of_the_cpu_finds_the_same_minima() {
    let (x, y) = (points(), responses(200));
    let best = Job::new(&x, &y).fit(Level::best(), 1);
    for level in ["baseline", "avx2", "avx512"].into_iter().filter_map(Level::named) {
        let found = Job::new(&x, &y).fit(level, 1);
        assert!(found.x.iter().zip(&best.x).all(|(a, b)| (a - b).abs() < 1e-6 * b.abs()), "{}", level.name());
    }
}

#[test]
fn a_fit_that_is_not_finite_stays_in_its_lane() {
    let (x, mut y) = (points(), responses(300));
    let clean = Job::new(&x, &y).fit(Level::best(), 1);
    y[40 * M + 3] = f64::NAN;
    y[41 * M] = f64::INFINITY;
    let found = Job::new(&x, &y).fit(Level::best(), 1);
    for k in 0..300 {
        if k == 40 || k == 41 {
            assert_eq!(found.status[k], -1);
        } else {
            assert_eq!(found.x[2 * k..][..2], clean.x[2 * k..][..2]);
        }
    }
}

#[test]
fn masked_points_do_not_count() {
    let (x, mut y) = (points(), responses(100));
    let mask: Vec<bool> = numbers(100 * M, 9).iter().map(|u| *u > -0.6).collect();
    let weights: Vec<f64> = mask.iter().map(|&counts| f64::from(u8::from(counts))).collect();
    let weighted = Job { weights: Some(&weights), ..Job::new(&x, &y) }.fit(Level::best(), 1);
    y.iter_mut().zip(&mask).filter(|(_, counts)| !**counts).for_each(|(y, _)| *y = f64::NAN);
    let masked = Job { mask: Some(&mask), ..Job::new(&x, &y) }.fit(Level::best(), 1);
    assert_eq!(masked.x, weighted.x);
    for k in 0..100 {
        let kept: Vec<usize> = (0..M).filter(|i| mask[k * M + i]).collect();
        assert_eq!(masked.n_points[k] as usize, kept.len());
        let [x, y] = [&x[..], &y[k * M..]].map(|v| kept.iter().map(|&i| v[i]).collect::<Vec<f64>>());
        let (at, _) = reference(&x, &y);
        let error = masked.stderr[2 * k];
        assert!(masked.status[k] != 0 || (masked.x[2 * k] - at[0]).abs() < 1e-3 * error);
    }
}

#[test]
fn a_parameter_that_a_bound_holds_stays_there_and_the_others_are_at_their_minimum() {
    let (x, y) = (points(), responses(1000));
    let free = Job::new(&x, &y).fit(Level::best(), 1);
    let found = Job { upper: [f64::INFINITY, 1.0], ..Job::new(&x, &y) }.fit(Level::best(), 1);
    assert!(found.status.iter().filter(|s| **s == 1).count() > 300);
    assert!(found.status.iter().filter(|s| **s < 0).count() < 20);
    for k in 0..1000 {
        let (a, b) = (found.x[2 * k], found.x[2 * k + 1]);
        match found.status[k] {
            0 => assert!(b < 1.0 && (b - free.x[2 * k + 1]).abs() < 1e-3),
            1 => {
                assert!(b == 1.0 && free.x[2 * k + 1] > 1.0 && found.stderr[2 * k + 1].is_nan());
                let (rss, g, h) = sums(&x, &y[k * M..][..M], [a, b]);
                assert!(g[1] < 0.0 && g[0].abs() < 1e-3 * (h[0] * rss / (M - 2) as f64).sqrt());
                let error = (rss / (M - 2) as f64 / h[0]).sqrt();
                assert!((found.stderr[2 * k] / error - 1.0).abs() < 1e-3);
            }
            _ => {}
        }
    }
}

#[test]
fn of_counts_the_gradient_of_the_deviance_vanishes() {
    let x = points();
    let y: Vec<f64> = responses(500).iter().map(|y| (40.0 * y.max(0.0)).round()).collect();
    let found = Job { family: Some(Family::Poisson), ..Job::new(&x, &y) }.fit(Level::best(), 2);
    assert!(found.status.iter().filter(|s| **s == 0).count() > 480);
    for k in (0..500).filter(|&k| found.status[k] == 0) {
        let (a, b) = (found.x[2 * k], found.x[2 * k + 1]);
        let (mut g, mut cost) = ([0.0; 2], 0.0);
        for (x, &y) in x.iter().zip(&y[k * M..]) {
            let e = (-b * x).exp();
            let slope = 1.0 - y / (a * e);
            (g[0], g[1]) = (g[0] + slope * e, g[1] - slope * a * x * e);
            cost += 0.5 * Family::Poisson.term(y, a * e - y, 1.0);
        }
        assert!((found.cost[k] - cost).abs() < 1e-6 * cost);
        assert!((0..2).all(|j| g[j].abs() * found.stderr[2 * k + j] < 1e-3), "{k} {g:?}");
    }
}
