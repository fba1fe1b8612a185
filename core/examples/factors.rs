//! Milliseconds of analyzing, factorizing and solving with block matrices whose patterns are those of large problems.
//!
//! Method: the best of the repetitions that fit in a second (at least 5), after one that is not counted; one and two
//! threads in turn.
//! Run: cargo run --release --example factors -- [file.g2o ...] [part of a name ...]

use std::sync::Arc;
use std::time::Instant;

use marquardt_core::linear::blocks::{BlockMatrix, BlockPattern};
use marquardt_core::linear::sparse::{Cholesky, Kind};

fn main() {
    println!(
        "{:28}{:>8}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "", "n", "nnz(L) M", "GFlop", "analyze", "1 thr", "2 thr", "solve", "GFlop/s"
    );
    let (files, names): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|a| a.ends_with(".g2o"));
    for path in &files {
        measure(path.rsplit('/').next().unwrap_or(path), pose_graph(path), Kind::Auto);
    }
    let chain = BlockPattern::new(vec![1; 10000], (1..10000).map(|i| (i, i - 1)));
    let mut rows = vec![
        ("sphere of 50 x 50 poses", sphere(50), Kind::Auto),
        ("street of 2000 cameras", street(2000, 42), Kind::Auto),
        ("collection of 500 cameras", collection(500), Kind::Auto),
        ("the same, dense", collection(500), Kind::Dense),
        ("chain of 10000 numbers", chain, Kind::Auto),
        ("grid of 200 x 200 numbers", grid(200, 1), Kind::Auto),
    ];
    rows.extend(
        [("5 cameras", 5), ("16 cameras", 16), ("49 cameras", 49), ("150 cameras", 150)]
            .map(|(name, n)| (name, BlockPattern::full(vec![9; n]), Kind::Dense)),
    );
    for (name, pattern, kind) in rows {
        if names.is_empty() || names.iter().any(|part| name.contains(part.as_str())) {
            measure(name, pattern, kind);
        }
    }
}

/// Rings of poses: each is joined with the next, and with its neighbor in the next ring.
fn sphere(rings: u32) -> BlockPattern {
    let n = rings * rings;
    BlockPattern::new(vec![6; n as usize], (1..n).flat_map(|i| [(i, i - 1), (i, i.saturating_sub(rings))]))
}

/// Cameras along a street that see points together with those that follow.
fn street(n: u32, reach: u32) -> BlockPattern {
    let near = (0..n).flat_map(|i| (1..reach).map(move |k| (i, (i + k).min(n - 1))));
    BlockPattern::new(vec![9; n as usize], near)
}

/// Cameras around a few sights.
fn collection(n: u32) -> BlockPattern {
    let sight = |i: u32| (i * i + 7 * i) % 11;
    let near = move |i: u32, j: u32| sight(i).abs_diff(sight(j)) < 3 || i.abs_diff(j) < 20;
    BlockPattern::new(
        vec![9; n as usize],
        (0..n).flat_map(|i| (0..i).filter(move |&j| near(i, j)).map(move |j| (i, j))),
    )
}

fn grid(n: u32, size: u32) -> BlockPattern {
    let near = (0..n * n).flat_map(|k| {
        let (right, down) = (if k % n + 1 < n { k + 1 } else { k }, (k + n).min(n * n - 1));
        [(k, right), (k, if k + n < n * n { down } else { k })]
    });
    BlockPattern::new(vec![size; (n * n) as usize], near)
}

/// The edges of a g2o file.
fn pose_graph(path: &str) -> BlockPattern {
    let text = std::fs::read_to_string(path).expect("a file that can be read");
    let mut edges = Vec::new();
    let mut size = 3;
    for line in text.lines().filter(|l| l.starts_with("EDGE_SE")) {
        let words: Vec<&str> = line.split_whitespace().take(3).collect();
        size = if words[0].starts_with("EDGE_SE3") { 6 } else { 3 };
        let index = |k: usize| words[k].parse::<u32>().expect("the number of a vertex");
        edges.push((index(1), index(2)));
    }
    let n = edges.iter().map(|e| e.0.max(e.1) + 1).max().unwrap_or(0);
    BlockPattern::new(vec![size; n as usize], edges)
}

fn measure(name: &str, pattern: BlockPattern, kind: Kind) {
    let pattern = Arc::new(pattern);
    let mut a = BlockMatrix::zeros(&pattern);
    a.values.iter_mut().enumerate().for_each(|(k, v)| *v = ((k * k % 1009) as f64 / 1009.0 - 0.5) * 0.1);
    for i in 0..pattern.n_blocks() {
        let size = pattern.sizes[i] as usize;
        let block = a.block_mut(pattern.diagonal(i));
        (0..size).for_each(|r| block[r * size + r] = 100.0);
    }
    let start = Instant::now();
    let mut one = Cholesky::analyze(&pattern, kind, 1);
    let analyze = start.elapsed().as_secs_f64() * 1e3;
    let mut two = Cholesky::analyze(&pattern, kind, 2);
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    let begin = Instant::now();
    let mut x: Vec<f64> = (0..pattern.dimension()).map(|i| (i % 17) as f64).collect();
    while times[0].len() < 6 || (begin.elapsed().as_secs_f64() < 1.0 && times[0].len() < 10001) {
        times[0].push(milliseconds(|| one.factorize(&a).expect("a positive matrix")));
        times[1].push(milliseconds(|| two.factorize(&a).expect("a positive matrix")));
        times[2].push(milliseconds(|| one.solve(&mut x, 1)));
    }
    let [t1, t2, solve] = times.map(|mut t| {
        t.remove(0);
        t.sort_by(f64::total_cmp);
        t[0]
    });
    println!(
        "{name:28}{:8}{:9.3}{:9.4}{analyze:9.2}{t1:9.3}{t2:9.3}{solve:9.4}{:9.1}  {:?}",
        pattern.dimension(),
        one.nonzeros() as f64 * 1e-6,
        one.flops() * 1e-9,
        one.flops() * 1e-6 / t1,
        one.kind()
    );
}

fn milliseconds(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_secs_f64() * 1e3
}
