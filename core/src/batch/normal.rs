//! Sums over the points of a block, for a group of fits.

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

#[inline(always)]
fn vectors<S: Simd>(column: &Column, points: usize) -> &[S::f64s] {
    S::as_simd_f64s(&column.0[..points * WIDTH]).0
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
        // All sums of few columns at once, as long as there are registers for them: each number is read once.
        match self.columns.len() {
            1 => self.at_once::<S, 1>(s),
            2 => self.at_once::<S, 2>(s),
            3 => self.at_once::<S, 3>(s),
            4 if S::REGISTER_COUNT >= 32 => self.at_once::<S, 4>(s),
            5 if S::REGISTER_COUNT >= 32 => self.at_once::<S, 5>(s),
            _ => self.one_by_one(s),
        }
    }
}

impl Products<'_> {
    #[inline(always)]
    fn at_once<S: Simd, const P: usize>(self, s: S) {
        let Products { columns, residuals, likely, points, out } = self;
        let (v, zero) = (WIDTH / S::F64_LANES, s.splat_f64s(0.0));
        let r = vectors::<S>(residuals, points);
        let mut d = [r; P];
        for j in 0..P {
            d[j] = vectors::<S>(columns[j], points);
        }
        let cost = if likely { &mut out.pearson } else { &mut out.cost };
        let (gradient, normal) = (&mut out.gradient[..P], &mut out.normal[..P * (P + 1) / 2]);
        for l in 0..v {
            let (mut squares, mut g, mut h) = (zero, [zero; P], [[zero; P]; P]);
            for i in (l..r.len()).step_by(v) {
                let f = r[i];
                squares = ma(s, f, f, squares);
                for a in 0..P {
                    let da = d[a][i];
                    g[a] = ma(s, da, f, g[a]);
                    for b in 0..=a {
                        h[a][b] = ma(s, da, d[b][i], h[a][b]);
                    }
                }
            }
            let add = |row: &mut Row, sum| {
                let to = &mut S::as_mut_simd_f64s(&mut row.0).0[l];
                *to = s.add_f64s(*to, sum);
            };
            add(cost, s.mul_f64s(s.splat_f64s(0.5), squares));
            let mut entries = normal.iter_mut();
            for a in 0..P {
                add(&mut gradient[a], g[a]);
                for b in 0..=a {
                    if let Some(entry) = entries.next() {
                        add(entry, h[a][b]);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn one_by_one<S: Simd>(self, s: S) {
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
