//! Streaming Householder QR of a tall matrix: blocks of rows are folded, one after another, into a small triangle.
//!
//! One step replaces R by the triangular factor of [R; C]. As R is triangular, the reflection for column k touches
//! row k of R and the block: its vector is (v0 at row k; column k of C). Four reflections are gathered as
//! I - V T V' (Schreiber, Van Loan 1989) and applied together, so that the block is read a quarter as often.

use pulp::{Simd, WithSimd};

use super::vector::{dots, subtract};
use crate::tape::{Level, has_fma};

/// Reflections per panel.
const PANEL: usize = 4;

/// Folds the rows of a block into `factor` (c x c, row-major, upper triangular; zero at the start).
/// `columns` are the c columns of the block, equally long; they are overwritten.
pub fn fold(factor: &mut [f64], columns: &mut [&mut [f64]]) {
    let n = columns.first().map_or(0, |c| c.len());
    fold_rows(Level::best(), factor, columns, n);
}

/// The same for the first n values of each column.
pub fn fold_rows<C>(level: Level, factor: &mut [f64], columns: &mut [C], n: usize)
where
    C: AsRef<[f64]> + AsMut<[f64]>,
{
    assert_eq!(factor.len(), columns.len() * columns.len(), "size of the factor");
    level.run(Fold { factor, columns, n });
}

/// Folds another triangular factor of the same size into `factor`; `scratch` is reused between calls.
pub fn merge(level: Level, factor: &mut [f64], other: &[f64], scratch: &mut Vec<f64>) {
    assert_eq!(factor.len(), other.len());
    let c = factor.len().isqrt();
    scratch.clear();
    scratch.resize(c * c, 0.0);
    for i in 0..c {
        for j in i..c {
            scratch[j * c + i] = other[i * c + j];
        }
    }
    let mut columns: Vec<&mut [f64]> = scratch.chunks_exact_mut(c.max(1)).collect();
    fold_rows(level, factor, &mut columns, c);
}

struct Fold<'a, C> {
    factor: &'a mut [f64],
    columns: &'a mut [C],
    n: usize,
}

impl<C: AsRef<[f64]> + AsMut<[f64]>> WithSimd for Fold<'_, C> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        if !has_fma::<S>() {
            // SSE2 by way of vectors the compiler splits
            self.all::<pulp::Scalar128b, false, 2>(pulp::Scalar128b);
        } else if S::REGISTER_COUNT >= 32 {
            self.all::<S, true, 4>(s); // 4 x 4 sums need 32 registers
        } else {
            self.all::<S, true, 2>(s);
        }
    }
}

/// V, T of one panel: reflection i has top entry `v0[i]`; T is upper triangular.
struct Panel {
    v0: [f64; PANEL],
    t: [[f64; PANEL]; PANEL],
}

impl<C: AsRef<[f64]> + AsMut<[f64]>> Fold<'_, C> {
    #[inline(always)]
    fn all<S: Simd, const F: bool, const TILE: usize>(self, s: S) {
        let Fold { factor, columns, n } = self;
        let c = columns.len();
        let mut k = 0;
        while k < c {
            let (_, rest) = columns.split_at_mut(k);
            match rest.len() {
                1 => panel::<S, F, 1, TILE, C>(s, &mut factor[k * c..], c, k, rest, n),
                2 => panel::<S, F, 2, TILE, C>(s, &mut factor[k * c..], c, k, rest, n),
                3 => panel::<S, F, 3, TILE, C>(s, &mut factor[k * c..], c, k, rest, n),
                _ => panel::<S, F, PANEL, TILE, C>(s, &mut factor[k * c..], c, k, rest, n),
            }
            k += PANEL;
        }
    }
}

/// Eliminates the first P of `columns` (columns k.. of the block) against `rows` (rows k.. of the factor) and
/// applies the reflections to the others.
#[inline(always)]
fn panel<S: Simd, const F: bool, const P: usize, const TILE: usize, C: AsRef<[f64]> + AsMut<[f64]>>(
    s: S,
    rows: &mut [f64],
    c: usize,
    k: usize,
    columns: &mut [C],
    n: usize,
) {
    let (head, rest) = columns.split_at_mut(P);
    let mut v = array::<P, C>(head, n);
    let panel = eliminate::<S, F, P>(s, rows, c, k, &mut v);
    let mut vectors = [&[][..]; P];
    for i in 0..P {
        vectors[i] = &*v[i];
    }
    let mut j = k + P;
    for tile in rest.chunks_mut(TILE) {
        if tile.len() == TILE {
            reflect::<S, F, P, TILE, C>(s, &panel, vectors, rows, c, j, tile, n);
        } else {
            for one in tile.chunks_mut(1) {
                reflect::<S, F, P, 1, C>(s, &panel, vectors, rows, c, j, one, n);
                j += 1;
            }
        }
        j += TILE;
    }
}

/// Dot products of column i with all P columns.
#[inline(always)]
fn with_all<S: Simd, const F: bool, const P: usize>(s: S, v: &[&mut [f64]; P], i: usize) -> [f64; P] {
    let mut columns = [&[][..]; P];
    for j in 0..P {
        columns[j] = &*v[j];
    }
    dots::<S, F, 1, P>(s, [columns[i]], columns)[0]
}

/// The first B columns, cut to n rows.
#[inline(always)]
fn array<const B: usize, C: AsMut<[f64]>>(columns: &mut [C], n: usize) -> [&mut [f64]; B] {
    let mut out: [&mut [f64]; B] = std::array::from_fn(|_| &mut [] as &mut [_]);
    for (out, column) in out.iter_mut().zip(columns) {
        *out = &mut column.as_mut()[..n];
    }
    out
}

/// Householder reflections of the P columns `v`, which become the vectors.
#[inline(always)]
fn eliminate<S: Simd, const F: bool, const P: usize>(
    s: S,
    rows: &mut [f64],
    c: usize,
    k: usize,
    v: &mut [&mut [f64]; P],
) -> Panel {
    let mut panel = Panel { v0: [0.0; PANEL], t: [[0.0; PANEL]; PANEL] };
    for i in 0..P {
        let mut w = with_all::<S, F, P>(s, v, i);
        let (mut scale, top) = (1.0, rows[i * c + k + i]);
        // squares that overflow or underflow: a power of two makes the vector harmless, the reflection is the same
        if !(1e-280..1e280).contains(&w[i]) || top * top > 1e280 {
            scale = harmless(v[i], top);
            v[i].iter_mut().for_each(|x| *x *= scale);
            w = with_all::<S, F, P>(s, v, i);
        }
        if w[i] == 0.0 {
            continue;
        }
        let row = &mut rows[i * c + k..][..P];
        let alpha = row[i] * scale;
        let norm = (alpha * alpha + w[i]).sqrt();
        // v0 = alpha + sign(alpha) norm cannot cancel
        let v0 = if alpha > 0.0 { alpha + norm } else { alpha - norm };
        let tau = 2.0 / (v0 * v0 + w[i]);
        row[i] = (alpha - v0) / scale;
        panel.v0[i] = v0;
        let mut y = [0.0; P];
        for j in i + 1..P {
            y[j] = tau * (w[j] + v0 * row[j]);
            row[j] -= y[j] * v0;
        }
        let (left, right) = v.split_at_mut(i + 1);
        match &mut *right {
            [a, b, c] => subtract::<S, F, 1, 3>(s, [&*left[i]], [[y[i + 1], y[i + 2], y[i + 3]]], [a, b, c]),
            [a, b] => subtract::<S, F, 1, 2>(s, [&*left[i]], [[y[i + 1], y[i + 2]]], [a, b]),
            [a] => subtract::<S, F, 1, 1>(s, [&*left[i]], [[y[i + 1]]], [a]),
            _ => (),
        }
        for a in 0..i {
            let mut sum = 0.0;
            for b in a..i {
                sum += panel.t[a][b] * w[b];
            }
            panel.t[a][i] = -tau * sum;
        }
        panel.t[i][i] = tau;
    }
    panel
}

/// The power of two that brings the largest of |x| and |top| near 1; 1 when there is none or it is not finite. Beside
/// a large top a small x may vanish: its reflection is the identity to rounding.
#[inline(never)]
fn harmless(x: &[f64], top: f64) -> f64 {
    let largest = x.iter().fold(top.abs(), |m, x| m.max(x.abs()));
    if largest == 0.0 || !largest.is_finite() {
        1.0
    } else {
        (-largest.log2().floor()).clamp(-1000.0, 1000.0).exp2()
    }
}

/// Applies the panel's reflections to the B columns starting at column j: C -= V (T' (V' C)).
#[inline(always)]
fn reflect<S: Simd, const F: bool, const P: usize, const B: usize, C: AsRef<[f64]> + AsMut<[f64]>>(
    s: S,
    panel: &Panel,
    v: [&[f64]; P],
    rows: &mut [f64],
    c: usize,
    j: usize,
    tile: &mut [C],
    n: usize,
) {
    let mut block = [&[][..]; B];
    for b in 0..B {
        block[b] = &tile[b].as_ref()[..n];
    }
    let w = dots::<S, F, P, B>(s, v, block);
    let mut y = [[0.0; B]; P];
    for b in 0..B {
        let mut top = [0.0; P];
        for i in 0..P {
            top[i] = w[i][b] + panel.v0[i] * rows[i * c + j + b];
        }
        for i in 0..P {
            for a in 0..=i {
                y[i][b] += panel.t[a][i] * top[a];
            }
            rows[i * c + j + b] -= panel.v0[i] * y[i][b];
        }
    }
    subtract::<S, F, P, B>(s, v, y, array::<B, C>(tile, n));
}
