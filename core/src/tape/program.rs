//! A checked program.

use super::ops::{Op, decode};

/// A program as it is handed over; `Tape::new` checks all of it.
///
/// Slots are numbered scalars, then inputs, then registers. Scalars are the parameters, the constants and one slot
/// per prologue instruction. Instructions are (opcode, destination, a, b, c); unused operands are 0.
#[derive(Clone, Debug, Default)]
pub struct TapeSpec {
    pub n_params: usize,
    pub constants: Vec<f64>,
    /// Parameter-only work; the n-th instruction writes scalar slot n_params + n_constants + n.
    pub prologue: Vec<[u32; 5]>,
    pub n_inputs: usize,
    /// Work per point; a destination is a register and never one of its own sources.
    pub code: Vec<[u32; 5]>,
    pub n_registers: usize,
    pub outputs: Vec<u32>,
    /// (scalar slot, expected truth): the program is valid only where all hold.
    pub guards: Vec<(u32, bool)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Slot {
    Scalar(usize),
    Input(usize),
    Register(usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Instruction {
    pub op: Op,
    pub dst: usize,
    pub src: [Slot; 3],
}

/// A program that passed every check: running it cannot go out of bounds.
#[derive(Clone, Debug)]
pub struct Tape {
    pub(crate) n_params: usize,
    pub(crate) constants: Vec<f64>,
    pub(crate) prologue: Vec<(Op, [usize; 3])>,
    pub(crate) n_inputs: usize,
    pub(crate) code: Vec<Instruction>,
    pub(crate) n_registers: usize,
    pub(crate) outputs: Vec<Slot>,
    pub(crate) guards: Vec<(usize, bool)>,
}

impl Tape {
    /// Checks and translates a program; the error names the instruction and what is wrong with it.
    pub fn new(spec: TapeSpec) -> Result<Tape, String> {
        let first = spec.n_params + spec.constants.len();
        let layout = Layout {
            n_scalars: first + spec.prologue.len(),
            n_inputs: spec.n_inputs,
            n_registers: spec.n_registers,
        };
        let mut prologue = Vec::with_capacity(spec.prologue.len());
        for (k, row) in spec.prologue.iter().enumerate() {
            prologue.push(
                prologue_row(row, first + k).map_err(|e| format!("prologue instruction {k} {row:?}: {e}"))?,
            );
        }
        let mut code = Vec::with_capacity(spec.code.len());
        let mut written = vec![false; spec.n_registers];
        for (k, row) in spec.code.iter().enumerate() {
            let checked =
                code_row(row, &layout, &written).map_err(|e| format!("instruction {k} {row:?}: {e}"))?;
            written[checked.dst] = true;
            code.push(checked);
        }
        let mut outputs = Vec::with_capacity(spec.outputs.len());
        for (k, &slot) in spec.outputs.iter().enumerate() {
            outputs.push(layout.readable(slot, &written).map_err(|e| format!("output {k}: {e}"))?);
        }
        for (k, &(slot, _)) in spec.guards.iter().enumerate() {
            if slot as usize >= layout.n_scalars {
                return Err(format!("guard {k}: slot {slot} is not a scalar"));
            }
        }
        Ok(Tape {
            n_params: spec.n_params,
            constants: spec.constants,
            prologue,
            n_inputs: spec.n_inputs,
            code,
            n_registers: spec.n_registers,
            outputs,
            guards: spec.guards.into_iter().map(|(slot, truth)| (slot as usize, truth)).collect(),
        })
    }

    pub fn n_params(&self) -> usize {
        self.n_params
    }

    pub fn n_inputs(&self) -> usize {
        self.n_inputs
    }

    pub fn n_outputs(&self) -> usize {
        self.outputs.len()
    }

    /// The outputs that are constants; `None`: the others.
    pub fn constant_outputs(&self) -> Vec<Option<f64>> {
        let constant = |slot: &Slot| match slot {
            Slot::Scalar(j) => j.checked_sub(self.n_params).and_then(|k| self.constants.get(k)).copied(),
            _ => None,
        };
        self.outputs.iter().map(constant).collect()
    }

    /// Whether the program is valid only for some parameters.
    pub fn is_guarded(&self) -> bool {
        !self.guards.is_empty()
    }

    pub fn n_instructions(&self) -> usize {
        self.code.len()
    }

    pub fn n_registers(&self) -> usize {
        self.n_registers
    }
}

struct Layout {
    n_scalars: usize,
    n_inputs: usize,
    n_registers: usize,
}

impl Layout {
    fn slot(&self, slot: u32) -> Result<Slot, String> {
        let s = slot as usize;
        if s < self.n_scalars {
            return Ok(Slot::Scalar(s));
        }
        let s = s - self.n_scalars;
        if s < self.n_inputs {
            return Ok(Slot::Input(s));
        }
        let s = s - self.n_inputs;
        if s < self.n_registers { Ok(Slot::Register(s)) } else { Err(format!("slot {slot} does not exist")) }
    }

    /// A slot that holds a value: registers must have been written before.
    fn readable(&self, slot: u32, written: &[bool]) -> Result<Slot, String> {
        match self.slot(slot)? {
            Slot::Register(r) if !written[r] => Err(format!("slot {slot} is read before it is written")),
            found => Ok(found),
        }
    }
}

fn prologue_row(row: &[u32; 5], dst: usize) -> Result<(Op, [usize; 3]), String> {
    let (op, arity) = decode(row[0]).ok_or("unknown opcode")?;
    if row[1] as usize != dst {
        return Err(format!("the destination should be slot {dst}"));
    }
    let mut src = [0; 3];
    for i in 0..arity {
        src[i] = row[2 + i] as usize;
        if src[i] >= dst {
            return Err(format!("slot {} is read before it is written", src[i]));
        }
    }
    Ok((op, src))
}

fn code_row(row: &[u32; 5], layout: &Layout, written: &[bool]) -> Result<Instruction, String> {
    let (op, arity) = decode(row[0]).ok_or("unknown opcode")?;
    let Slot::Register(dst) = layout.slot(row[1])? else {
        return Err("the destination is not a register".into());
    };
    if row[2..2 + arity].contains(&row[1]) {
        return Err("the destination is also a source".into());
    }
    let first = layout.readable(row[2], written)?;
    let mut src = [first; 3]; // unused operands repeat the first one: never the destination
    for i in 1..arity {
        src[i] = layout.readable(row[2 + i], written)?;
    }
    Ok(Instruction { op, dst, src })
}
