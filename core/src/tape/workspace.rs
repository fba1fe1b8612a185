//! The memory a tape runs in: made once, used for every block and every parameter vector.

/// Points per block: a working set of some fifty columns then stays in the second-level cache (64 costs 30 % more).
pub const BLOCK: usize = 256;

/// A short block is run up to the next multiple of this, so that it needs no scalar tail: at 20 points a tail of
/// single lanes would cost more than everything else.
const STEP: usize = 32;

/// Values of one slot over one block. Aligned to cache lines; the padding keeps columns from falling into the same
/// cache sets, as a stride of a power of two would.
#[derive(Clone)]
#[repr(align(64))]
pub struct Column(pub [f64; BLOCK + 8]);

impl Default for Column {
    fn default() -> Self {
        Column([0.0; BLOCK + 8])
    }
}

impl AsRef<[f64]> for Column {
    #[inline(always)]
    fn as_ref(&self) -> &[f64] {
        &self.0
    }
}

impl AsMut<[f64]> for Column {
    #[inline(always)]
    fn as_mut(&mut self) -> &mut [f64] {
        &mut self.0
    }
}

/// Number of points actually run for a block of `rows`.
pub fn padded(rows: usize) -> usize {
    rows.next_multiple_of(STEP)
}

/// Scratch memory of one thread for one tape (it grows to the largest tape it meets).
#[derive(Default)]
pub struct Workspace {
    /// Parameters, constants, results of the prologue.
    pub(crate) scalars: Vec<f64>,
    pub(crate) registers: Vec<Column>,
    /// Inputs of a short block, filled up with their last value.
    pub(crate) short: Vec<Column>,
    pub(crate) room: [Column; 2],
}

impl Workspace {
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn fit(&mut self, n_registers: usize, n_inputs: usize) {
        if self.registers.len() < n_registers {
            self.registers.resize(n_registers, Column::default());
        }
        if self.short.len() < n_inputs {
            self.short.resize(n_inputs, Column::default());
        }
    }
}
