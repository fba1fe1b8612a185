//! Nanoseconds per point of kernels, folding and a tiny fit's evaluations, at every level of this machine.
//!
//! Method: one thread, data in cache; each figure is the median of 21 repetitions of about a millisecond.
//! Run: cargo run --release --example timings -- [kernels] [fold] [tiny]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use marquardt_core::evaluate::curve::{Block, Curve, Programs};
use marquardt_core::evaluate::{Evaluate, Linearization};
use marquardt_core::linear::qr;
use marquardt_core::tape::{Level, Tape, TapeSpec, Workspace, opcodes};

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let levels: Vec<Level> = ["baseline", "avx2", "avx512"].into_iter().filter_map(Level::named).collect();
    for (name, run) in [("kernels", kernels as fn(&[Level])), ("fold", fold), ("tiny", tiny)] {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            print!("\n{name:12}");
            levels.iter().for_each(|l| print!("{:>10}", l.name()));
            println!();
            run(&levels);
        }
    }
}

/// Median nanoseconds of one call.
fn nanoseconds(mut f: impl FnMut()) -> f64 {
    let once = Instant::now();
    f();
    let calls = (1e6 / once.elapsed().as_nanos().max(20) as f64).ceil() as usize;
    let mut times: Vec<f64> = (0..21)
        .map(|_| {
            let start = Instant::now();
            (0..calls).for_each(|_| f());
            start.elapsed().as_nanos() as f64 / calls as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[10]
}

fn numbers(n: usize, lo: f64, hi: f64, mut seed: u64) -> Vec<f64> {
    (0..n)
        .map(|_| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            lo + (hi - lo) * (seed >> 11) as f64 / 9007199254740992.0
        })
        .collect()
}

/// One instruction over a block of 256 points.
fn kernels(levels: &[Level]) {
    let columns: Vec<Vec<f64>> = (0..3).map(|k| numbers(256, 0.05, 0.95, k + 1)).collect();
    for &(name, code, arity) in opcodes() {
        print!("{name:12}");
        let spec = TapeSpec {
            n_inputs: 3,
            code: vec![[code, 3, 0, 1.min(arity - 1), 2.min(arity - 1)]],
            n_registers: 1,
            outputs: vec![3],
            ..TapeSpec::default()
        };
        let (tape, mut work) = (Tape::new(spec).unwrap(), Workspace::new());
        let inputs: Vec<&[f64]> = columns.iter().map(|c| &c[..]).collect();
        for &level in levels {
            let t = nanoseconds(|| tape.run_in_place(level, &[], black_box(&inputs), 256, &mut work, 1));
            print!("{:10.3}", t / 256.0);
        }
        println!();
    }
}

/// Blocks of [J f] folded into a factor; the copy into place is included.
fn fold(levels: &[Level]) {
    for p in [3, 8, 20, 50] {
        print!("p = {p:<8}");
        let source: Vec<Vec<f64>> = (0..=p).map(|j| numbers(256, -1.0, 1.0, j as u64)).collect();
        let mut memory = vec![0.0; (p + 1) * 264 + 8];
        let offset = memory.as_ptr().align_offset(64);
        let mut columns: Vec<&mut [f64]> =
            memory[offset..].chunks_exact_mut(264).map(|c| &mut c[..256]).collect();
        for &level in levels {
            let mut factor = vec![0.0; (p + 1) * (p + 1)];
            let t = nanoseconds(|| {
                columns.iter_mut().zip(&source).for_each(|(c, s)| c.copy_from_slice(s));
                qr::fold_rows(level, black_box(&mut factor), &mut columns[..=p], 256);
            });
            print!("{:10.2}", t / 256.0);
        }
        println!();
    }
}

/// Residuals, and Jacobian with fold, of a exp(-b x) + c on 20 points; nanoseconds per call.
fn tiny(levels: &[Level]) {
    let code = |name: &str| opcodes().iter().find(|row| row.0 == name).unwrap().1;
    let program = |rows: &[[u32; 5]], outputs: Vec<u32>| {
        Tape::new(TapeSpec {
            n_params: 3,
            constants: vec![1.0],
            prologue: vec![[code("neg"), 4, 1, 0, 0], [code("neg"), 5, 0, 0, 0]],
            n_inputs: 1,
            code: rows.to_vec(),
            n_registers: 4,
            outputs,
            ..TapeSpec::default()
        })
        .unwrap()
    };
    let rows = [
        [code("mul"), 7, 4, 6, 0],
        [code("exp"), 8, 7, 0, 0],
        [code("fma"), 9, 0, 8, 2],
        [code("mul"), 7, 8, 6, 0],
        [code("mul"), 10, 5, 7, 0],
    ];
    let programs = Arc::new(Programs {
        value: program(&rows[..3], vec![9]),
        jacobian: program(&rows, vec![9, 8, 10, 3]),
        curvature: None,
        hessian: None,
    });
    for n in [20, 250] {
        let mut lines = [format!("value {n:<6}"), format!("jacobian {n:<3}")];
        for &level in levels {
            let block = Block {
                programs: programs.clone(),
                columns: vec![Arc::new(numbers(n, 0.0, 3.0, 1))],
                y: Some(Arc::new(numbers(n, 0.0, 1.0, 2))),
                w: None,
                cases: None,
                n_rows: n,
                n_outputs: 1,
            };
            let mut curve = Curve::new(vec![block], vec![0.0; 3], vec![0, 1, 2], 0, level).unwrap();
            let (x, mut f, mut out) = ([1.5, 0.8, 0.2], vec![0.0; n], Linearization::default());
            let value = nanoseconds(|| curve.residuals(black_box(&x), &mut f).unwrap());
            let jacobian = nanoseconds(|| curve.linearize(black_box(&x), &f, &mut out).unwrap());
            lines[0] += &format!("{value:10.0}");
            lines[1] += &format!("{jacobian:10.0}");
        }
        println!("{}\n{}", lines[0], lines[1]);
    }
}
