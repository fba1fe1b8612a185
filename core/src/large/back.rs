//! Passes over the records that follow a factorization: to the points and back, and products with J.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::tape::{Level, has_fma};

use super::family::Family;
use super::fused::fma;
use super::group::Group;
use super::points::{Points, backward, forward};

/// What a pass over some tracks works out.
pub enum Pass<'a> {
    /// `sums += J_c' U z` with `z = L^-1 b` of the eliminated b, which becomes z.
    Down { eliminated: &'a mut [f64], sums: &'a mut [f64] },
    /// `x_e = L^-T (z - U' J_c x)`, in place of z.
    Back { x: &'a [f64], eliminated: &'a mut [f64] },
    /// `sums += J_c' (I - U U') J_c x`.
    Apply { x: &'a [f64], sums: &'a mut [f64] },
    /// `total += |J d|²`.
    Curvature { x: &'a [f64], eliminated: &'a [f64], total: &'a mut f64 },
}

pub struct Walk<'a> {
    pub group: &'a Group,
    pub families: &'a [Family],
    pub offsets: &'a [usize],
    pub points: &'a Points,
    pub tracks: Range<usize>,
    pub pass: Pass<'a>,
}

impl Walk<'_> {
    pub fn run(self) {
        Level::best().run(self);
    }
}

impl WithSimd for Walk<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        if has_fma::<S>() { self.go::<true>() } else { self.go::<false>() }
    }
}

impl Walk<'_> {
    #[inline(always)]
    fn go<const F: bool>(self) {
        match (self.group.uniform(self.families), self.group.eliminated) {
            (Some((2, 9)), 3) => self.shaped::<F>(2, 9, 3),
            (Some((2, 6)), 3) => self.shaped::<F>(2, 6, 3),
            (_, e) => self.shaped::<F>(0, 0, e),
        }
    }

    #[inline(always)]
    fn shaped<const F: bool>(self, rows: usize, width: usize, e: usize) {
        let Walk { group, families, offsets, points, tracks, mut pass } = self;
        let mut products = Vec::new();
        let mut track_sum = vec![0.0; e];
        let at_l = Points::parts(e)[1].clone();
        let shape = |family: &Family| if rows == 0 { (family.rows, family.width) } else { (rows, width) };
        for (k, t) in tracks.enumerate() {
            let l = if e > 0 { &points.of(t)[at_l.clone()] } else { &[] };
            let sum = &mut track_sum[..e];
            sum.fill(0.0);
            let items =
                group.families.iter().flat_map(|&f| families[f].track(t).map(move |p| (&families[f], p)));
            match &mut pass {
                Pass::Down { eliminated, sums } => {
                    let z = &mut eliminated[k * e..][..e];
                    forward::<F>(e, l, z);
                    for (family, place) in items {
                        let (rows, width) = shape(family);
                        let record = family.records.record(place);
                        for i in 0..rows {
                            let along = dot::<F>(&record[rows * width + i * e..][..e], z);
                            family.scatter::<F>(place, &record[i * width..][..width], offsets, along, sums);
                        }
                    }
                }
                Pass::Back { x, eliminated } => {
                    for (family, place) in items {
                        let (rows, width) = shape(family);
                        let record = family.records.record(place);
                        for i in 0..rows {
                            let along = family.dot::<F>(place, &record[i * width..][..width], offsets, x);
                            add::<F>(sum, along, &record[rows * width + i * e..][..e]);
                        }
                    }
                    let z = &mut eliminated[k * e..][..e];
                    z.iter_mut().zip(&*sum).for_each(|(z, s)| *z -= s);
                    backward::<F>(e, l, z);
                }
                Pass::Apply { x, sums } => {
                    products.clear();
                    for (family, place) in items.clone() {
                        let (rows, width) = shape(family);
                        let record = family.records.record(place);
                        for i in 0..rows {
                            let along = family.dot::<F>(place, &record[i * width..][..width], offsets, x);
                            add::<F>(sum, along, &record[rows * width + i * e..][..e]);
                            products.push(along);
                        }
                    }
                    let mut product = products.iter();
                    for (family, place) in items {
                        let (rows, width) = shape(family);
                        let record = family.records.record(place);
                        for (i, &along) in product.by_ref().take(rows).enumerate() {
                            let left = along - dot::<F>(&record[rows * width + i * e..][..e], sum);
                            family.scatter::<F>(place, &record[i * width..][..width], offsets, left, sums);
                        }
                    }
                }
                Pass::Curvature { x, eliminated, total } => {
                    let own = &eliminated[k * e..][..e];
                    for (family, place) in items {
                        let (rows, width) = shape(family);
                        let record = family.records.record(place);
                        for i in 0..rows {
                            let kept = family.dot::<F>(place, &record[i * width..][..width], offsets, x);
                            let all = kept + dot::<F>(&record[rows * (width + e) + i * e..][..e], own);
                            **total = fma::<F>(all, all, **total);
                        }
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn dot<const F: bool>(a: &[f64], b: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (&a, &b) in a.iter().zip(b) {
        sum = fma::<F>(a, b, sum);
    }
    sum
}

#[inline(always)]
fn add<const F: bool>(sum: &mut [f64], factor: f64, row: &[f64]) {
    sum.iter_mut().zip(row).for_each(|(s, &x)| *s = fma::<F>(factor, x, *s));
}
