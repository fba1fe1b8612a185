//! Every vector kernel against exact values (`core/tools/accuracy_table.py`), at every level of this machine.

use std::collections::BTreeMap;

use marquardt_core::tape::{Level, Tape, TapeSpec, Workspace, opcodes};

struct Case {
    args: Vec<f64>,
    head: f64,
    tail: f64,
}

fn table() -> BTreeMap<String, Vec<Case>> {
    let mut cases: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for line in include_str!("data/kernels.txt").lines() {
        let mut words = line.split(' ');
        let name = words.next().unwrap().to_string();
        let mut numbers: Vec<f64> =
            words.map(|w| f64::from_bits(u64::from_str_radix(w, 16).unwrap())).collect();
        let (tail, head) = (numbers.pop().unwrap(), numbers.pop().unwrap());
        cases.entry(name).or_default().push(Case { args: numbers, head, tail });
    }
    cases
}

fn levels() -> Vec<Level> {
    ["baseline", "avx2", "avx512"].into_iter().filter_map(Level::named).collect()
}

/// The operation on whole columns.
fn evaluate(name: &str, level: Level, columns: &[&[f64]]) -> Vec<f64> {
    let &(_, code, arity) = opcodes().iter().find(|row| row.0 == name).unwrap();
    let k = arity;
    let spec = TapeSpec {
        n_inputs: k as usize,
        code: vec![[code, k, 0, 1.min(k - 1), 2.min(k - 1)]],
        n_registers: 1,
        outputs: vec![k],
        ..TapeSpec::default()
    };
    let mut out = vec![0.0; columns[0].len()];
    Tape::new(spec).unwrap().run(level, &[], columns, &mut [&mut out], &mut Workspace::new());
    out
}

/// Distance in units of the last place of the exact value; 0 for the same special value.
fn error(found: f64, case: &Case) -> f64 {
    let exact = case.head;
    if exact.is_nan() || !exact.is_finite() || exact == 0.0 {
        let same = found.to_bits() == exact.to_bits() || (found.is_nan() && exact.is_nan());
        return if same { 0.0 } else { f64::INFINITY };
    }
    let next = f64::from_bits(exact.abs().to_bits() + 1);
    let unit = if next.is_finite() { next - exact.abs() } else { 2.0_f64.powi(971) };
    let distance = ((found - exact) - case.tail).abs() / unit;
    if distance.is_nan() { f64::INFINITY } else { distance }
}

#[test]
fn kernels_are_within_two_units_of_the_last_place() {
    let mut failures = Vec::new();
    for (name, cases) in table() {
        let columns: Vec<Vec<f64>> =
            (0..cases[0].args.len()).map(|k| cases.iter().map(|c| c.args[k]).collect()).collect();
        let slices: Vec<&[f64]> = columns.iter().map(|c| &c[..]).collect();
        for level in levels() {
            let found = evaluate(&name, level, &slices);
            let mut worst = 0.0_f64;
            for (case, found) in cases.iter().zip(found) {
                let e = error(found, case);
                worst = worst.max(e);
                if e > 2.0 {
                    failures.push(format!(
                        "{name}{:?} at {}: {found:e}, not {:e} ({e:.1} ulp)",
                        case.args,
                        level.name(),
                        case.head
                    ));
                }
            }
            println!("{name:10} {:9} {worst:.2}", level.name());
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}
