//! The factor of a block matrix against products with the matrix itself.

use std::sync::Arc;

use marquardt_core::linear::blocks::{BlockMatrix, BlockPattern};
use marquardt_core::linear::sparse::pcg::Preconditioner;
use marquardt_core::linear::sparse::precondition::{BlockJacobi, Clusters, Identity};
use marquardt_core::linear::sparse::{Cholesky, Kind, NotPositive, pcg};

/// Numbers in -1..1 from a linear congruence.
fn numbers(n: usize, mut seed: u64) -> Vec<f64> {
    (0..n)
        .map(|_| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 11) as f64 / 4503599627370496.0 - 1.0
        })
        .collect()
}

/// A diagonally dominant matrix on a pattern.
fn positive(pattern: BlockPattern, seed: u64) -> BlockMatrix {
    let pattern = Arc::new(pattern);
    let mut a = BlockMatrix::zeros(&pattern);
    a.values = numbers(a.values.len(), seed);
    let ones = vec![1.0; pattern.dimension()];
    let mut bound = ones.clone();
    let absolute =
        BlockMatrix { pattern: pattern.clone(), values: a.values.iter().map(|v| v.abs()).collect() };
    absolute.multiply(&ones, &mut bound);
    for i in 0..pattern.n_blocks() {
        let (start, size) = (pattern.block_start[pattern.diagonal(i)], pattern.sizes[i] as usize);
        (0..size).for_each(|r| a.values[start + r * size + r] = bound[pattern.offsets[i] + r]);
    }
    a
}

/// Patterns of many shapes, blocks of 1 to 7 rows.
fn patterns() -> Vec<(&'static str, BlockPattern)> {
    let sizes = |n: u32| -> Vec<u32> { (0..n).map(|i| 1 + i * i % 7).collect() };
    let random = |n: u32, links: usize| {
        let pick = numbers(2 * links, 5);
        let at = move |v: f64| ((v + 1.0) / 2.0 * f64::from(n)) as u32;
        BlockPattern::new(sizes(n), pick.chunks_exact(2).map(move |p| (at(p[0]), at(p[1]))))
    };
    vec![
        ("empty", BlockPattern::new(vec![], [])),
        ("one", BlockPattern::new(vec![1], [])),
        ("diagonal", BlockPattern::new(sizes(9), [])),
        ("chain", BlockPattern::new(sizes(50), (1..50).map(|i| (i, i - 1)))),
        ("ring", BlockPattern::new(sizes(50), (0..50).map(|i| (i, (i + 1) % 50)))),
        ("arrow down", BlockPattern::new(sizes(30), (0..29).map(|i| (29, i)))),
        ("arrow up", BlockPattern::new(sizes(30), (1..30).map(|i| (i, 0)))),
        ("two parts", BlockPattern::new(sizes(40), (1..40).filter(|i| *i != 17).map(|i| (i - 1, i)))),
        ("random", random(60, 150)),
        ("scarce", random(200, 150)),
        ("full", BlockPattern::full(sizes(25))),
    ]
}

fn error(a: &BlockMatrix, x: &[f64], b: &[f64]) -> f64 {
    let mut product = vec![0.0; b.len()];
    a.multiply(x, &mut product);
    product.iter().zip(b).fold(0.0, |m: f64, (p, b)| m.max((p - b).abs()))
}

#[test]
fn solutions_of_several_right_hand_sides_satisfy_their_systems() {
    for (name, pattern) in patterns() {
        let a = positive(pattern, 1);
        let n = a.pattern.dimension();
        for kind in [Kind::Dense, Kind::Sparse, Kind::Auto] {
            let mut cholesky = Cholesky::analyze(&a.pattern, kind, 1);
            for n_rhs in [1, 3, 9] {
                cholesky.factorize(&a).unwrap();
                let b = numbers(n * n_rhs, 2);
                let mut x = b.clone();
                cholesky.solve(&mut x, n_rhs);
                for k in 0..n_rhs {
                    let e = error(&a, &x[k * n..(k + 1) * n], &b[k * n..(k + 1) * n]);
                    assert!(e < 1e-13, "{name} {kind:?} {k}: {e}");
                }
            }
        }
    }
}

#[test]
fn a_singular_matrix_names_its_block() {
    for (name, pattern) in patterns().into_iter().skip(1) {
        for bad in [0, pattern.n_blocks() / 2, pattern.n_blocks() - 1] {
            let mut a = positive(pattern.clone(), 3);
            for k in (0..pattern.n_blocks()).flat_map(|i| pattern.row(i).map(move |k| (i, k))) {
                if k.0 == bad || pattern.columns[k.1] as usize == bad {
                    a.block_mut(k.1).fill(0.0);
                }
            }
            for kind in [Kind::Dense, Kind::Sparse] {
                let found = Cholesky::analyze(&a.pattern, kind, 1).factorize(&a);
                assert_eq!(found, Err(NotPositive { block: bad }), "{name} {kind:?}");
            }
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let n = 40;
    let grid = |i: u32, j: u32| i * n + j;
    let near = (0..n * n).flat_map(|k| {
        let (i, j) = (k / n, k % n);
        [(grid(i, j), grid((i + 1).min(n - 1), j)), (grid(i, j), grid(i, (j + 1).min(n - 1)))]
    });
    let patterns = [BlockPattern::new(vec![6; 1600], near), BlockPattern::full(vec![9; 60])];
    for a in patterns.map(|p| positive(p, 7)) {
        let run = |threads| {
            let mut cholesky = Cholesky::analyze(&a.pattern, Kind::Auto, threads);
            cholesky.factorize(&a).unwrap();
            let mut x = numbers(2 * a.pattern.dimension(), 8);
            cholesky.solve(&mut x, 2);
            x
        };
        let one = run(1);
        assert!([2, 3, 0].into_iter().all(|threads| run(threads) == one));
    }
}

#[test]
fn blocks_of_the_inverse_are_those_of_the_solutions_with_unit_columns() {
    for (name, pattern) in patterns() {
        let a = positive(pattern, 4);
        let (n, p) = (a.pattern.dimension(), &a.pattern);
        for kind in [Kind::Dense, Kind::Sparse] {
            let mut cholesky = Cholesky::analyze(p, kind, 1);
            cholesky.factorize(&a).unwrap();
            let mut inverse = vec![0.0; n * n];
            (0..n).for_each(|i| inverse[i * n + i] = 1.0);
            cholesky.solve(&mut inverse, n);
            let blocks = p.n_blocks() as u32;
            let near = (0..blocks).flat_map(|i| p.row(i as usize).map(move |k| (i, k)));
            let mut wanted: Vec<(u32, u32)> = near.map(|(i, k)| (i, p.columns[k])).collect();
            wanted.extend((1..blocks).map(|i| (i / 2, i))); // above the diagonal, and most of them not stored
            for (&(i, j), block) in wanted.iter().zip(cholesky.inverse_blocks(&wanted)) {
                let entries = p.rows(i as usize).flat_map(|r| p.rows(j as usize).map(move |c| (r, c)));
                assert_eq!(block.len(), p.rows(i as usize).len() * p.rows(j as usize).len());
                for ((r, c), found) in entries.zip(&block) {
                    assert!((inverse[c * n + r] - found).abs() < 1e-14, "{name} {kind:?} {i} {j}");
                }
            }
        }
    }
}

#[test]
fn conjugate_gradients_come_to_the_solution_with_every_preconditioner() {
    for (name, pattern) in patterns() {
        let a = positive(pattern, 5);
        let b = numbers(a.pattern.dimension(), 6);
        let solve = |m: &dyn Preconditioner| {
            let (x, steps) = pcg(&a, m, &b, 1e-14, 500);
            let e = error(&a, &x, &b);
            assert!(e < 1e-6 && steps < 500, "{name}: {e} after {steps}");
            steps
        };
        let plain = solve(&Identity);
        let jacobi = solve(&BlockJacobi::of(&a).unwrap());
        let clusters = solve(&Clusters::new(&a, 8, 1).unwrap());
        let all = Clusters::new(&a, 1000, 1).unwrap();
        assert!(clusters <= jacobi + 2 && jacobi <= plain, "{name}: {clusters} {jacobi} {plain}");
        assert!(solve(&all) <= 2, "{name}: one cluster for each part is the matrix itself");
    }
}

#[test]
fn conjugate_gradients_stop_when_the_gain_stops_growing() {
    let a = positive(BlockPattern::new(vec![3; 400], (1..400).map(|i| (i, i - 1))), 9);
    let (n, m) = (a.pattern.dimension(), BlockJacobi::of(&a).unwrap());
    let b = numbers(n, 10);
    let gain = |steps: usize| {
        let (x, taken) = pcg(&a, &m, &b, 0.0, steps);
        let mut ax = vec![0.0; n];
        a.multiply(&x, &mut ax);
        assert_eq!(taken, steps);
        (0..n).map(|i| x[i] * (0.5 * ax[i] - b[i])).sum::<f64>()
    };
    let (_, steps) = pcg(&a, &m, &b, 0.01, 500);
    let ratio = |i: usize| i as f64 * (gain(i) - gain(i - 1)) / gain(i);
    assert!((2..20).contains(&steps) && ratio(steps) < 0.01 && (1..steps).all(|i| ratio(i) >= 0.01));
}

#[test]
fn a_zero_right_hand_side_and_an_indefinite_matrix_take_no_step() {
    let mut a = positive(BlockPattern::new(vec![2, 2], [(0, 1)]), 11);
    assert_eq!(pcg(&a, &Identity, &[0.0; 4], 0.1, 500), (vec![0.0; 4], 0));
    a.values.iter_mut().for_each(|v| *v = -*v);
    assert_eq!(pcg(&a, &Identity, &[1.0; 4], 0.1, 500), (vec![0.0; 4], 0));
    assert_eq!(BlockJacobi::of(&a).err(), Some(NotPositive { block: 0 }));
}

#[test]
fn clusters_follow_the_strong_connections() {
    let pattern = Arc::new(BlockPattern::new(vec![2; 6], (1..6).map(|i| (i, i - 1))));
    let mut a = BlockMatrix::zeros(&pattern);
    for i in 0..6 {
        a.block_mut(pattern.diagonal(i)).copy_from_slice(&[1.0, 0.0, 0.0, 1.0]);
        if let Some(k) = i.checked_sub(1).and_then(|j| pattern.find(i, j)) {
            a.block_mut(k).fill(if i == 2 || i == 4 { 0.01 } else { 0.1 });
        }
    }
    assert_eq!(Clusters::new(&a, 2, 1).unwrap().cluster, [0, 0, 2, 2, 4, 4]);
    assert_eq!(Clusters::new(&a, 1, 1).unwrap().cluster, [0, 1, 2, 3, 4, 5]);
}
