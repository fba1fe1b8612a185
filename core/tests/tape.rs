//! Programs: what is refused, and that blocks, levels and operands of every kind give the same numbers.

use marquardt_core::tape::{Level, Rows, Tape, TapeSpec, Workspace, opcodes};

fn code(name: &str) -> u32 {
    opcodes().iter().find(|row| row.0 == name).unwrap().1
}

/// a exp(-b x) + c with slots a b c | 1.0 | -b | x | registers 6.. ; outputs: value, d/da, x, c.
fn decay() -> TapeSpec {
    TapeSpec {
        n_params: 3,
        constants: vec![1.0],
        prologue: vec![[code("neg"), 4, 1, 0, 0]],
        n_inputs: 1,
        code: vec![[code("mul"), 6, 4, 5, 0], [code("exp"), 7, 6, 0, 0], [code("fma"), 6, 0, 7, 2]],
        n_registers: 2,
        outputs: vec![6, 7, 5, 2],
        guards: vec![(3, true)],
    }
}

#[test]
fn every_row_count_and_level_gives_the_model() {
    for name in ["baseline", "avx2", "avx512"] {
        let Some(level) = Level::named(name) else { continue };
        let (tape, mut work) = (Tape::new(decay()).unwrap(), Workspace::new());
        for n in [0, 1, 20, 255, 256, 257, 1000] {
            let x: Vec<f64> = (0..n).map(|i| 0.01 * i as f64).collect();
            let mut out = vec![vec![f64::NAN; n]; 4];
            let mut slices: Vec<&mut [f64]> = out.iter_mut().map(|o| &mut o[..]).collect();
            tape.run(level, &[2.0, 0.7, -1.0], &[&x], &mut slices, &mut work);
            for i in 0..n {
                let e = (-0.7 * x[i]).exp();
                assert!((out[0][i] - (2.0 * e - 1.0)).abs() < 1e-15, "{name} {n} {i}");
                assert!((out[1][i] - e).abs() < 1e-15);
                assert_eq!((out[2][i], out[3][i]), (x[i], -1.0));
            }
        }
    }
}

#[test]
fn guards_are_read_from_the_scalars() {
    let mut spec = decay();
    spec.prologue.push([code("lt"), 5, 0, 1, 0]); // a < b
    for row in &mut spec.code {
        row.iter_mut().skip(1).for_each(|s| *s += u32::from(*s >= 5));
    }
    spec.outputs.iter_mut().for_each(|s| *s += u32::from(*s >= 5));
    spec.guards = vec![(5, false)];
    let (tape, mut work) = (Tape::new(spec).unwrap(), Workspace::new());
    tape.load(Level::best(), &[2.0, 1.0, 0.0], &mut work);
    assert!(tape.guards_hold(&work));
    tape.load(Level::best(), &[1.0, 2.0, 0.0], &mut work);
    assert!(!tape.guards_hold(&work));
}

#[test]
fn a_program_without_inputs_runs() {
    let spec = TapeSpec {
        n_params: 1,
        code: vec![[code("exp"), 1, 0, 0, 0]],
        n_registers: 1,
        outputs: vec![1],
        ..TapeSpec::default()
    };
    let mut out = vec![0.0; 3];
    Tape::new(spec).unwrap().run(Level::best(), &[1.0], &[], &mut [&mut out], &mut Workspace::new());
    assert!(out.iter().all(|v| (v - 1f64.exp()).abs() < 1e-15));
}

#[test]
fn scalar_and_column_operands_agree_for_every_operation() {
    let values = [0.3, 0.8, 0.45];
    for &(name, op, arity) in opcodes() {
        let k = arity as usize;
        let mut found = Vec::new();
        for mask in 0..1 << k {
            // bit set: operand is a column
            let (mut inputs, mut slots) = (Vec::new(), [0u32; 3]);
            for i in 0..k {
                slots[i] = if mask >> i & 1 == 1 { 3 + inputs.len() as u32 } else { i as u32 };
                if mask >> i & 1 == 1 {
                    inputs.push(vec![values[i]; 40]);
                }
            }
            let dst = 3 + inputs.len() as u32;
            let spec = TapeSpec {
                n_params: 3,
                n_inputs: inputs.len(),
                code: vec![[op, dst, slots[0], slots[1], slots[2]]],
                n_registers: 1,
                outputs: vec![dst],
                ..TapeSpec::default()
            };
            let inputs: Vec<&[f64]> = inputs.iter().map(|c| &c[..]).collect();
            let mut out = vec![0.0; 40];
            Tape::new(spec).unwrap().run(
                Level::best(),
                &values,
                &inputs,
                &mut [&mut out],
                &mut Workspace::new(),
            );
            found.extend(out);
        }
        let prologue = TapeSpec {
            n_params: 3,
            prologue: vec![[op, 3, 0, 1.min(arity - 1), 2.min(arity - 1)]],
            outputs: vec![3],
            ..TapeSpec::default()
        };
        let mut out = vec![0.0];
        Tape::new(prologue).unwrap().run(Level::best(), &values, &[], &mut [&mut out], &mut Workspace::new());
        found.extend(out);
        assert!(found.iter().all(|v| v.to_bits() == found[0].to_bits()), "{name}: {found:?}");
    }
}

#[test]
fn malformed_programs_are_refused_with_the_reason() {
    type Damage = fn(&mut TapeSpec);
    let cases: [(&str, Damage); 9] = [
        ("unknown opcode", |s| s.code[0][0] = 9999),
        ("destination is also a source", |s| s.code[1][2] = 7),
        ("destination is not a register", |s| s.code[0][1] = 5),
        ("does not exist", |s| s.code[0][2] = 99),
        ("read before it is written", |s| s.code[0][3] = 7),
        ("destination should be slot 4", |s| s.prologue[0][1] = 3),
        ("read before it is written", |s| s.prologue[0][2] = 4),
        ("output 0", |s| s.outputs[0] = 77),
        ("guard 0", |s| s.guards[0].0 = 5),
    ];
    for (reason, damage) in cases {
        let mut spec = decay();
        damage(&mut spec);
        let error = Tape::new(spec).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn opcodes_are_their_positions() {
    assert!(opcodes().iter().enumerate().all(|(k, row)| row.1 == k as u32 && (1..=3).contains(&row.2)));
}

#[test]
fn blocks_cover_the_rows_once() {
    let rows: Vec<(usize, usize)> = Rows::blocks(10, 600).map(|r| (r.start, r.len)).collect();
    assert_eq!(rows, [(10, 256), (266, 256), (522, 78)]);
}
