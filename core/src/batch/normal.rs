//! Sums over the points of a block, and the small dense algebra of a group of fits, lane by lane.

use pulp::{Simd, WithSimd};

use super::counts::{Deviance, Rows, Total};
use super::line::ma;
use super::machine::POINTS;
use super::{Row, Sums, WIDTH};
use crate::likelihood::Family;
use crate::tape::{Column, Level};

/// Room for the residuals and weighted derivatives of a block.
pub struct Block {
    residuals: Column,
    weighted: Vec<Column>,
    counts: Rows,
}

impl Block {
    pub fn new(p: usize) -> Self {
        Block { residuals: Column::default(), weighted: vec![Column::default(); p], counts: Rows::default() }
    }
}

/// Adds `points` points of a group of fits to its sums; output 0 is the model, 1 + j its derivative by parameter j.
pub fn accumulate<'a>(
    level: Level,
    block: &'a mut Block,
    output: impl Fn(usize) -> &'a Column,
    y: &Column,
    weights: Option<&Column>,
    family: Option<Family>,
    points: usize,
    out: &mut Sums,
) {
    let p = out.gradient.len();
    let n = points * WIDTH;
    let Block { residuals, weighted, counts } = block;
    let model = output(0);
    let weights = match family {
        None => {
            level.run(Subtract { model, y, weights, n, out: residuals });
            weights
        }
        Some(family) => {
            let rows = &mut *counts;
            level.run(Deviance { family, model, y, cases: weights, n, residuals, rows });
            level.run(Total { terms: &counts.terms, points, cost: &mut out.cost });
            Some(&counts.root)
        }
    };
    let mut columns = [output(0); MOST];
    if let Some(w) = weights {
        for (j, d) in weighted.iter_mut().enumerate() {
            level.run(Weigh { values: output(1 + j), w, n, out: d });
        }
        columns.iter_mut().zip(&*weighted).for_each(|(c, d)| *c = d);
    } else {
        columns[..p].iter_mut().enumerate().for_each(|(j, c)| *c = output(1 + j));
    }
    level.run(Products { columns: &columns[..p], residuals, likely: family.is_some(), points, out });
}

/// Most parameters that lanes take.
pub const MOST: usize = 20;

struct Subtract<'a> {
    model: &'a Column,
    y: &'a Column,
    weights: Option<&'a Column>,
    n: usize,
    out: &'a mut Column,
}

impl WithSimd for Subtract<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Subtract { model, y, weights, n, out } = self;
        let values = out.0[..n].iter_mut().zip(&model.0[..n]).zip(&y.0[..n]);
        match weights {
            None => values.for_each(
                #[inline(always)]
                |((r, m), y)| *r = m - y,
            ),
            Some(w) => values.zip(&w.0[..n]).for_each(
                #[inline(always)]
                |(((r, m), y), &w)| *r = if w == 0.0 { 0.0 } else { (m - y) * w },
            ),
        }
    }
}

struct Weigh<'a> {
    values: &'a Column,
    w: &'a Column,
    n: usize,
    out: &'a mut Column,
}

impl WithSimd for Weigh<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Weigh { values, w, n, out } = self;
        for ((d, v), &w) in out.0[..n].iter_mut().zip(&values.0[..n]).zip(&w.0[..n]) {
            *d = if w == 0.0 { 0.0 } else { v * w };
        }
    }
}

struct Products<'a> {
    columns: &'a [&'a Column],
    residuals: &'a Column,
    /// Their squares are then Pearson's chi-square, not the cost.
    likely: bool,
    points: usize,
    out: &'a mut Sums,
}

impl WithSimd for Products<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let Products { columns, residuals, likely, points, out } = self;
        let p = columns.len();
        let r = S::as_simd_f64s(&residuals.0[..POINTS * WIDTH]).0;
        let half = s.splat_f64s(0.5);
        let v = WIDTH / S::F64_LANES;
        let cost = if likely { &mut out.pearson } else { &mut out.cost };
        let cost = S::as_mut_simd_f64s(&mut cost.0).0;
        for (l, cost) in cost.iter_mut().enumerate() {
            let mut sum = s.splat_f64s(0.0);
            for i in 0..points {
                sum = ma(s, r[i * v + l], r[i * v + l], sum);
            }
            *cost = ma(s, half, sum, *cost);
        }
        let column = |j: usize| S::as_simd_f64s(&columns[j].0[..POINTS * WIDTH]).0;
        let mut row = 0;
        for a in 0..p {
            let da = column(a);
            let (normal, gradient) = (&mut out.normal[row..row + a + 1], &mut out.gradient[a]);
            let gradient = S::as_mut_simd_f64s(&mut gradient.0).0;
            for (l, g) in gradient.iter_mut().enumerate() {
                let mut sum = *g;
                for i in 0..points {
                    sum = ma(s, da[i * v + l], r[i * v + l], sum);
                }
                *g = sum;
            }
            for (b, entry) in normal.iter_mut().enumerate() {
                let (db, entry) = (column(b), S::as_mut_simd_f64s(&mut entry.0).0);
                for (l, e) in entry.iter_mut().enumerate() {
                    let mut sum = *e;
                    for i in 0..points {
                        sum = ma(s, da[i * v + l], db[i * v + l], sum);
                    }
                    *e = sum;
                }
            }
            row += a + 1;
        }
    }
}

/// Factors L D L' of a group of normal matrices with `1 + damping` times their diagonal: lower triangles by rows, L with
/// ones on its diagonal, whose place D^-1 takes. No square roots, and no scaling: the damping is that of columns of
/// length one. Returns the smallest pivot of each beside its diagonal; a matrix that is not positive definite has one
/// of at most 0, or NaN.
#[inline(always)]
pub fn factorize(normal: &[Row], p: usize, damping: &Row, out: &mut [Row], room: &mut [Row]) -> Row {
    let mut least = Row([f64::INFINITY; WIDTH]);
    let at = |i: usize, j: usize| i * (i + 1) / 2 + j;
    for i in 0..p {
        for j in 0..i {
            let mut s = normal[at(i, j)];
            for k in 0..j {
                let (x, y) = (&room[k], &out[at(j, k)]); // room holds L D of this row
                for l in 0..WIDTH {
                    s.0[l] -= x.0[l] * y.0[l];
                }
            }
            room[j] = s;
        }
        let diagonal = normal[at(i, i)];
        let mut pivot = diagonal;
        for l in 0..WIDTH {
            pivot.0[l] += damping.0[l] * diagonal.0[l];
        }
        for j in 0..i {
            let (inverse, x) = (out[at(j, j)], room[j]);
            let entry = &mut out[at(i, j)];
            for l in 0..WIDTH {
                let e = x.0[l] * inverse.0[l];
                pivot.0[l] -= x.0[l] * e;
                entry.0[l] = e;
            }
        }
        let inverse = &mut out[at(i, i)];
        for l in 0..WIDTH {
            let part = pivot.0[l] - least.0[l] * diagonal.0[l];
            let smaller = (part < 0.0) | part.is_nan();
            least.0[l] = if smaller { pivot.0[l] / diagonal.0[l] } else { least.0[l] };
            inverse.0[l] = 1.0 / pivot.0[l];
        }
    }
    least
}

/// Solves L D L' x = b for each fit, in place; returns b'x.
#[inline(always)]
pub fn solve(factor: &[Row], p: usize, b: &mut [Row]) -> Row {
    let at = |i: usize, j: usize| i * (i + 1) / 2 + j;
    let mut squares = Row::default();
    for i in 0..p {
        let mut s = b[i];
        for k in 0..i {
            let (f, x) = (&factor[at(i, k)], &b[k]);
            for l in 0..WIDTH {
                s.0[l] -= f.0[l] * x.0[l];
            }
        }
        b[i] = s;
    }
    for i in (0..p).rev() {
        let (mut s, d) = (b[i], &factor[at(i, i)]);
        for l in 0..WIDTH {
            let z = s.0[l];
            s.0[l] = z * d.0[l];
            squares.0[l] += s.0[l] * z;
        }
        for k in i + 1..p {
            let (f, x) = (&factor[at(k, i)], &b[k]);
            for l in 0..WIDTH {
                s.0[l] -= f.0[l] * x.0[l];
            }
        }
        b[i] = s;
    }
    squares
}

/// (L D L')^-1 of one fit, lower triangle by rows; `inverse` is room for L^-1.
pub fn invert(factor: &[Row], p: usize, lane: usize, inverse: &mut [f64], out: &mut [f64]) {
    let at = |i: usize, j: usize| i * (i + 1) / 2 + j;
    for j in 0..p {
        inverse[at(j, j)] = 1.0;
        for i in j + 1..p {
            let s: f64 = (j..i).map(|k| factor[at(i, k)].0[lane] * inverse[at(k, j)]).sum();
            inverse[at(i, j)] = -s;
        }
    }
    for i in 0..p {
        for j in 0..=i {
            let weighted = |k: usize| inverse[at(k, i)] * inverse[at(k, j)] * factor[at(k, k)].0[lane];
            out[at(i, j)] = (i..p).map(weighted).sum();
        }
    }
}
