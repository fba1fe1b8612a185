//! Sums over the points of a block, for a group of fits.

use pulp::{Simd, WithSimd};

use super::counts::{Deviance, Rows, Total};
use super::{Row, Sums};
use crate::likelihood::Family;
use crate::tape::{Level, POINTS, Real};

/// Room for the residuals and weighted derivatives of a block.
pub struct Block<T: Real> {
    residuals: T::Column,
    weighted: Vec<T::Column>,
    counts: Rows<T>,
}

impl<T: Real> Block<T> {
    pub fn new(p: usize) -> Self {
        let column = T::Column::default;
        Block { residuals: column(), weighted: vec![column(); p], counts: Rows::default() }
    }
}

/// Adds `points` points of a group of fits to its sums, which begin with the first block; output 0 is the model, 1 + j its
/// derivative by parameter j.
pub fn accumulate<'a, T: Real>(
    level: Level,
    block: &'a mut Block<T>,
    output: impl Fn(usize) -> &'a T::Column,
    y: &T::Column,
    weights: Option<&T::Column>,
    family: Option<Family>,
    points: usize,
    first: bool,
    out: &mut Sums<T>,
) {
    let p = out.gradient.len();
    let n = points * T::WIDTH;
    let Block { residuals, weighted, counts } = block;
    let model = output(0);
    let weights = match family {
        None => {
            level.run(Subtract::<T> { model, y, weights, n, out: residuals });
            weights
        }
        Some(family) => {
            let rows = &mut *counts;
            if first {
                out.cost = Row::default();
            }
            level.run(Deviance::<T> { family, model, y, cases: weights, n, residuals, rows });
            level.run(Total::<T> { terms: &counts.terms, points, cost: &mut out.cost });
            Some(&counts.root)
        }
    };
    let mut columns = [output(0); MOST];
    if let Some(w) = weights {
        for (j, d) in weighted.iter_mut().enumerate() {
            level.run(Weigh::<T> { values: output(1 + j), w, n, out: d });
        }
        columns.iter_mut().zip(&*weighted).for_each(|(c, d)| *c = d);
    } else {
        columns[..p].iter_mut().enumerate().for_each(|(j, c)| *c = output(1 + j));
    }
    level.run(Products::<T> {
        columns: &columns[..p],
        residuals,
        likely: family.is_some(),
        points,
        first,
        out,
    });
}

/// Most parameters that lanes take.
pub const MOST: usize = 20;

struct Subtract<'a, T: Real> {
    model: &'a T::Column,
    y: &'a T::Column,
    weights: Option<&'a T::Column>,
    n: usize,
    out: &'a mut T::Column,
}

impl<T: Real> WithSimd for Subtract<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Subtract { model, y, weights, n, out } = self;
        let values = out.as_mut()[..n].iter_mut().zip(&model.as_ref()[..n]).zip(&y.as_ref()[..n]);
        match weights {
            None => values.for_each(
                #[inline(always)]
                |((r, &m), &y)| *r = m - y,
            ),
            Some(w) => values.zip(&w.as_ref()[..n]).for_each(
                #[inline(always)]
                |(((r, &m), &y), &w)| *r = if w == T::default() { w } else { (m - y) * w },
            ),
        }
    }
}

struct Weigh<'a, T: Real> {
    values: &'a T::Column,
    w: &'a T::Column,
    n: usize,
    out: &'a mut T::Column,
}

impl<T: Real> WithSimd for Weigh<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Weigh { values, w, n, out } = self;
        for ((d, &v), &w) in out.as_mut()[..n].iter_mut().zip(&values.as_ref()[..n]).zip(&w.as_ref()[..n]) {
            *d = if w == T::default() { w } else { v * w };
        }
    }
}

#[inline(always)]
fn vectors<S: Simd, T: Real>(column: &T::Column, points: usize) -> &[T::Vector<S>] {
    T::vectors::<S>(&column.as_ref()[..points * T::WIDTH])
}

struct Products<'a, T: Real> {
    columns: &'a [&'a T::Column],
    residuals: &'a T::Column,
    /// Their squares are then Pearson's chi-square, not the cost.
    likely: bool,
    points: usize,
    first: bool,
    out: &'a mut Sums<T>,
}

impl<T: Real> WithSimd for Products<'_, T> {
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

impl<T: Real> Products<'_, T> {
    #[inline(always)]
    fn at_once<S: Simd, const P: usize>(self, s: S) {
        let Products { columns, residuals, likely, points, first, out } = self;
        let (v, zero) = (T::WIDTH / T::lanes::<S>(), T::splat(s, T::default()));
        let r = vectors::<S, T>(residuals, points);
        let mut d = [r; P];
        for j in 0..P {
            d[j] = vectors::<S, T>(columns[j], points);
        }
        let cost = if likely { &mut out.pearson } else { &mut out.cost };
        let (gradient, normal) = (&mut out.gradient[..P], &mut out.normal[..P * (P + 1) / 2]);
        for l in 0..v {
            let (mut squares, mut g, mut h) = (zero, [zero; P], [[zero; P]; P]);
            for i in (l..r.len()).step_by(v) {
                let f = r[i];
                squares = T::ma(s, f, f, squares);
                for a in 0..P {
                    let da = d[a][i];
                    g[a] = T::ma(s, da, f, g[a]);
                    for b in 0..=a {
                        h[a][b] = T::ma(s, da, d[b][i], h[a][b]);
                    }
                }
            }
            let add = |row: &mut Row<T>, sum| {
                let to = &mut T::vectors_mut::<S>(row)[l];
                *to = if first { sum } else { T::sum(s, *to, sum) };
            };
            add(cost, T::product(s, T::splat(s, T::of(0.5)), squares));
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
        let Products { columns, residuals, likely, points, first, out } = self;
        let p = columns.len();
        let r = vectors::<S, T>(residuals, POINTS);
        let (half, zero) = (T::splat(s, T::of(0.5)), T::splat(s, T::default()));
        let v = T::WIDTH / T::lanes::<S>();
        let cost = if likely { &mut out.pearson } else { &mut out.cost };
        let cost = T::vectors_mut::<S>(cost);
        for (l, cost) in cost.iter_mut().enumerate() {
            let mut sum = zero;
            for i in 0..points {
                sum = T::ma(s, r[i * v + l], r[i * v + l], sum);
            }
            *cost = T::ma(s, half, sum, if first { zero } else { *cost });
        }
        let column = |j: usize| vectors::<S, T>(columns[j], POINTS);
        let mut row = 0;
        for a in 0..p {
            let da = column(a);
            let (normal, gradient) = (&mut out.normal[row..row + a + 1], &mut out.gradient[a]);
            let gradient = T::vectors_mut::<S>(gradient);
            for (l, g) in gradient.iter_mut().enumerate() {
                let mut sum = if first { zero } else { *g };
                for i in 0..points {
                    sum = T::ma(s, da[i * v + l], r[i * v + l], sum);
                }
                *g = sum;
            }
            for (b, entry) in normal.iter_mut().enumerate() {
                let (db, entry) = (column(b), T::vectors_mut::<S>(entry));
                for (l, e) in entry.iter_mut().enumerate() {
                    let mut sum = if first { zero } else { *e };
                    for i in 0..points {
                        sum = T::ma(s, da[i * v + l], db[i * v + l], sum);
                    }
                    *e = sum;
                }
            }
            row += a + 1;
        }
    }
}
