//! What is done with the outputs of one block: residuals, sums over rows, one more fold of the factor.

use pulp::{Simd, WithSimd};

use super::Linearization;
use super::reduction::Reduction;
use crate::cost::{self, CostOf};
use crate::linear::vector::{dots, weighted_sums};
use crate::linear::{gram, qr};
use crate::tape::{Column, Level, Operand, has_fma};

impl Linearization {
    /// All sums at zero, for n parameters.
    pub fn reset(&mut self, n: usize) {
        for (sums, len) in
            [(&mut self.factor, (n + 1) * (n + 1)), (&mut self.gradient, n), (&mut self.rounding, n)]
        {
            sums.clear();
            sums.resize(len, 0.0);
        }
        self.terms = 0.0;
    }

    /// Adds the sums of another run of rows.
    pub(crate) fn add(&mut self, level: Level, other: &Linearization, scratch: &mut Vec<f64>) {
        qr::merge(level, &mut self.factor, &other.factor, scratch);
        self.gradient.iter_mut().zip(&other.gradient).for_each(|(a, b)| *a += b);
        self.rounding.iter_mut().zip(&other.rounding).for_each(|(a, b)| *a += b);
    }
}

/// What every residual row of a block shares.
#[derive(Clone, Copy)]
pub(crate) struct RowData<'a> {
    pub model: Operand<'a>,
    pub y: Option<&'a [f64]>,
    pub w: Option<&'a [f64]>,
    /// `None`: squares.
    pub cost: Option<CostOf<'a>>,
}

/// f = (model - y) w, and its reduction from `before` (else from itself).
pub(crate) struct Residuals<'a> {
    pub rows: RowData<'a>,
    pub before: Option<&'a [f64]>,
    pub f: &'a mut [f64],
}

impl WithSimd for Residuals<'_> {
    type Output = Reduction;
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> Reduction {
        let Residuals { rows, before, f } = self;
        Differences { rows, f }.with_simd(s);
        cost::reduction(rows.cost, before.unwrap_or(f), f)
    }
}

/// f = (model - y) w alone.
pub(crate) struct Differences<'a, 'b> {
    pub rows: RowData<'a>,
    pub f: &'b mut [f64],
}

impl WithSimd for Differences<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Differences { rows: RowData { model, y, w, .. }, f } = self;
        let n = f.len();
        match (model, y) {
            (Operand::Column(m), None) => f.copy_from_slice(&m[..n]),
            (Operand::Scalar(m), None) => f.fill(m),
            (Operand::Column(m), Some(y)) => {
                f.iter_mut().zip(m).zip(y).for_each(|((f, m), y)| *f = m - y);
            }
            (Operand::Scalar(m), Some(y)) => f.iter_mut().zip(y).for_each(|(f, y)| *f = m - y),
        }
        if let Some(w) = w {
            f.iter_mut().zip(w).for_each(|(f, w)| *f *= w);
        }
    }
}

/// d = a w over one block, filled up with zeros to whole vectors.
pub(crate) struct Weighted<'a> {
    pub a: Operand<'a>,
    pub w: Option<&'a [f64]>,
    pub n: usize,
    pub d: &'a mut Column,
}

impl WithSimd for Weighted<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        weighted(self.a, self.w, self.n, self.d);
    }
}

/// Rows of a block are padded to a multiple of this: whole vectors at every level.
const LANES: usize = 8;

#[inline(always)]
fn weighted(a: Operand, w: Option<&[f64]>, n: usize, d: &mut Column) {
    let (d, rest) = d.0.split_at_mut(n);
    match (a, w) {
        (Operand::Column(a), None) => d.copy_from_slice(a),
        (Operand::Scalar(a), None) => d.fill(a),
        (Operand::Column(a), Some(w)) => {
            for ((d, a), w) in d.iter_mut().zip(a).zip(w) {
                *d = a * w;
            }
        }
        (Operand::Scalar(a), Some(w)) => d.iter_mut().zip(w).for_each(|(d, w)| *d = a * w),
    }
    rest[..n.next_multiple_of(LANES) - n].fill(0.0);
}

/// Folds one block of rows [J f] into a linearization.
pub(crate) struct Rows<'a, D> {
    /// Output j of the block: derivative by parameter j.
    pub derivative: D,
    pub rows: RowData<'a>,
    pub f: &'a [f64],
    /// p + 1 columns to work in, and one for magnitudes.
    pub columns: &'a mut [Column],
    pub magnitude: &'a mut Column,
    pub out: &'a mut Linearization,
}

impl<'a, D: Fn(usize) -> Operand<'a>> Rows<'a, D> {
    /// Adds the products of the columns of [J f] in place of the factor. The gradient is one of them; what rounding
    /// can do to it is summed up where these rows stand for so many of their kind.
    pub(crate) fn multiply(self, level: Level, stand_for: Option<f64>) {
        let (p, n) = (self.out.gradient.len(), self.f.len().next_multiple_of(LANES));
        let Rows { derivative, rows, f, columns, magnitude, out } = self;
        let sums = Sums { derivative, rows, f, columns: &mut columns[..=p], magnitude, out };
        level.run(Sampled { sums, stand_for });
        gram::add_rows(level, &mut out.factor, &columns[..=p], n);
    }

    pub(crate) fn fold(self, level: Level) {
        let (p, n) = (self.out.gradient.len(), self.f.len().next_multiple_of(LANES));
        let Rows { derivative, rows, f, columns, magnitude, out } = self;
        level.run(Sums { derivative, rows, f, columns: &mut columns[..=p], magnitude, out });
        qr::fold_rows(level, &mut out.factor, &mut columns[..=p], n);
    }
}

/// Columns of [J f] weighted, and their sums.
struct Sums<'a, 'b, D> {
    derivative: D,
    rows: RowData<'a>,
    f: &'a [f64],
    columns: &'b mut [Column],
    magnitude: &'b mut Column,
    out: &'b mut Linearization,
}

impl<'a, D: Fn(usize) -> Operand<'a>> WithSimd for Sums<'a, '_, D> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        if has_fma::<S>() {
            self.all::<S, true>(s)
        } else {
            self.all::<pulp::Scalar128b, false>(pulp::Scalar128b)
        }
    }
}

impl<'a, D: Fn(usize) -> Operand<'a>> Sums<'a, '_, D> {
    #[inline(always)]
    fn all<S: Simd, const F: bool>(self, s: S) {
        let Sums { derivative, rows, f, columns, magnitude, out } = self;
        let (n, p) = (f.len(), columns.len() - 1);
        let m = n.next_multiple_of(LANES);
        magnitudes(rows, f, magnitude);
        let (jacobian, last) = columns.split_at_mut(p);
        weighted(Operand::Column(f), None, n, &mut last[0]);
        for (j, column) in jacobian.iter_mut().enumerate() {
            weighted(derivative(j), rows.w, n, column);
        }
        if let Some(cost) = rows.cost {
            reweigh(cost, f, jacobian, &mut last[0], magnitude);
        }
        let (f, magnitude) = (&last[0].0[..m], &magnitude.0[..m]);
        for (tile, first) in jacobian.chunks(4).zip((0..).step_by(4)) {
            let (g, r) = (&mut out.gradient[first..], &mut out.rounding[first..]);
            match tile {
                [a, b, c, d] => add::<S, F, 4>(s, [a, b, c, d], f, magnitude, g, r),
                [a, b, c] => add::<S, F, 3>(s, [a, b, c], f, magnitude, g, r),
                [a, b] => add::<S, F, 2>(s, [a, b], f, magnitude, g, r),
                [a] => add::<S, F, 1>(s, [a], f, magnitude, g, r),
                _ => (),
            }
        }
    }
}

/// Columns of [J f] weighted, and the sums of their rounding if these rows stand for others.
struct Sampled<'a, 'b, D> {
    sums: Sums<'a, 'b, D>,
    stand_for: Option<f64>,
}

impl<'a, D: Fn(usize) -> Operand<'a>> WithSimd for Sampled<'a, '_, D> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Sums { derivative, rows, f, columns, magnitude, out } = self.sums;
        let (n, p) = (f.len(), columns.len() - 1);
        if self.stand_for.is_some() || rows.cost.is_some() {
            magnitudes(rows, f, magnitude);
        }
        let (jacobian, last) = columns.split_at_mut(p);
        weighted(Operand::Column(f), None, n, &mut last[0]);
        for (j, column) in jacobian.iter_mut().enumerate() {
            weighted(derivative(j), rows.w, n, column);
        }
        if let Some(cost) = rows.cost {
            reweigh(cost, f, jacobian, &mut last[0], magnitude);
        }
        let Some(times) = self.stand_for else { return };
        for (column, rounding) in jacobian.iter().zip(&mut out.rounding) {
            let m = n.next_multiple_of(LANES);
            let (d, m) = (column.0[..m].as_chunks::<LANES>().0, magnitude.0[..m].as_chunks::<LANES>().0);
            let mut lanes = [0.0; LANES];
            for (d, m) in d.iter().zip(m) {
                (0..LANES).for_each(|k| lanes[k] += d[k].abs() * m[k]);
            }
            *rounding += times * lanes.iter().sum::<f64>();
        }
    }
}

/// Makes rows [J f] those of the model of a cost.
fn reweigh(cost: CostOf, f: &[f64], jacobian: &mut [Column], last: &mut Column, magnitude: &mut Column) {
    let mut factors = Column::default();
    cost.each_row(f, |i, row| {
        (factors.0[i], last.0[i]) = (row.row, row.f);
        magnitude.0[i] *= row.noise;
    });
    for column in jacobian {
        column.0[..f.len()].iter_mut().zip(&factors.0).for_each(|(d, s)| *d *= s);
    }
}

/// Adds the sums of A columns to gradient and rounding.
#[inline(always)]
fn add<S: Simd, const F: bool, const A: usize>(
    s: S,
    columns: [&Column; A],
    f: &[f64],
    magnitude: &[f64],
    gradient: &mut [f64],
    rounding: &mut [f64],
) {
    let mut slices = [&[][..]; A];
    for k in 0..A {
        slices[k] = &columns[k].0[..f.len()];
    }
    for (k, (g, r)) in weighted_sums::<S, F, A>(s, slices, f, magnitude).into_iter().enumerate() {
        gradient[k] += g;
        rounding[k] += r;
    }
}

/// (|y| + |model|) |w| + |f|.
#[inline(always)]
fn magnitudes(rows: RowData, f: &[f64], out: &mut Column) {
    let n = f.len();
    let (out, rest) = out.0.split_at_mut(n);
    match rows.model {
        Operand::Column(m) => out.iter_mut().zip(m).for_each(|(o, m)| *o = m.abs()),
        Operand::Scalar(m) => out.fill(m.abs()),
    }
    if let Some(y) = rows.y {
        out.iter_mut().zip(y).for_each(|(o, y)| *o += y.abs());
    }
    if let Some(w) = rows.w {
        out.iter_mut().zip(w).for_each(|(o, w)| *o *= w.abs());
    }
    out.iter_mut().zip(f).for_each(|(o, f)| *o += f.abs());
    rest[..n.next_multiple_of(LANES) - n].fill(0.0);
}

/// Dot product of two columns.
pub(crate) struct Dot<'a>(pub &'a [f64], pub &'a [f64]);

impl WithSimd for Dot<'_> {
    type Output = f64;
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> f64 {
        if has_fma::<S>() {
            dots::<S, true, 1, 1>(s, [self.0], [self.1])[0][0]
        } else {
            dots::<_, false, 1, 1>(pulp::Scalar128b, [self.0], [self.1])[0][0]
        }
    }
}

/// Sum of a_i b_i over the first n rows, at this level.
pub(crate) fn dot(level: Level, a: &Column, b: &Column, n: usize) -> f64 {
    level.run(Dot(&a.0[..n], &b.0[..n]))
}

/// Writes a w into a column, at this level.
pub(crate) fn weigh(level: Level, a: Operand, w: Option<&[f64]>, n: usize, d: &mut Column) {
    level.run(Weighted { a, w, n, d });
}
