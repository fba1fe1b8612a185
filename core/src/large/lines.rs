//! Records of equal length in whole cache lines.

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f64; 8]);

/// `n` records of at least `len` numbers.
#[derive(Default)]
pub struct Lines {
    lines: Vec<Line>,
    /// Numbers from one record to the next.
    pub stride: usize,
}

impl Lines {
    pub fn new(n: usize, len: usize) -> Self {
        let per_record = len.div_ceil(8);
        Lines { lines: vec![Line([0.0; 8]); n * per_record], stride: 8 * per_record }
    }

    /// The same as new, in the memory there is.
    pub fn reset(&mut self, n: usize, len: usize) {
        let per_record = len.div_ceil(8);
        self.stride = 8 * per_record;
        self.lines.clear();
        self.lines.resize(n * per_record, Line([0.0; 8]));
    }

    pub fn all(&self) -> &[f64] {
        // SAFETY: a Line is eight f64 without padding.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), 8 * self.lines.len()) }
    }

    pub fn all_mut(&mut self) -> &mut [f64] {
        // SAFETY: as above, and the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), 8 * self.lines.len()) }
    }

    #[inline(always)]
    pub fn record_mut(&mut self, i: usize) -> &mut [f64] {
        let stride = self.stride;
        &mut self.all_mut()[i * stride..][..stride]
    }

    #[inline(always)]
    pub fn record(&self, i: usize) -> &[f64] {
        &self.all()[i * self.stride..][..self.stride]
    }
}
