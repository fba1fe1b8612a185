//! Passes over the records that follow a factorization: to the points and back, and products with J.

use std::ops::Range;

use super::family::Family;
use super::fused::fma;
use super::group::Group;
use super::points::{Points, backward, forward};
use super::shape::Shaped;

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

impl Shaped for Walk<'_> {
    fn group(&self) -> (&Group, &[Family]) {
        (self.group, self.families)
    }

    #[inline(always)]
    fn pass<const F: bool>(self, rows: usize, width: usize, e: usize) {
        let Walk { group, families, offsets, points, tracks, mut pass } = self;
        let at_l = Points::parts(e)[1].clone();
        let (mut products, mut sum) = (Vec::new(), vec![0.0; e]);
        for (k, t) in tracks.enumerate() {
            let l = if e > 0 { &points.of(t)[at_l.clone()] } else { &[] };
            let sum = &mut sum[..e];
            let items = Items { group, families, t, rows, width, e };
            match &mut pass {
                Pass::Down { eliminated, sums } => {
                    let z = &mut eliminated[k * e..][..e];
                    forward::<F>(e, l, z);
                    items.each(
                        #[inline(always)]
                        |family, place, jacobian, u, _| {
                            family.scatter::<F>(place, jacobian, offsets, dot::<F>(u, z), sums);
                        },
                    );
                }
                Pass::Back { x, eliminated } => {
                    sum.fill(0.0);
                    items.each(
                        #[inline(always)]
                        |family, place, jacobian, u, _| {
                            add::<F>(sum, family.dot::<F>(place, jacobian, offsets, x), u);
                        },
                    );
                    let z = &mut eliminated[k * e..][..e];
                    z.iter_mut().zip(&*sum).for_each(|(z, s)| *z -= s);
                    backward::<F>(e, l, z);
                }
                Pass::Apply { x, sums } => {
                    sum.fill(0.0);
                    products.clear();
                    items.each(
                        #[inline(always)]
                        |family, place, jacobian, u, _| {
                            let along = family.dot::<F>(place, jacobian, offsets, x);
                            add::<F>(sum, along, u);
                            products.push(along);
                        },
                    );
                    let mut product = products.iter();
                    items.each(
                        #[inline(always)]
                        |family, place, jacobian, u, _| {
                            let left = product.next().map_or(0.0, |along| along - dot::<F>(u, sum));
                            family.scatter::<F>(place, jacobian, offsets, left, sums);
                        },
                    );
                }
                Pass::Curvature { x, eliminated, total } => {
                    let d = &eliminated[k * e..][..e];
                    items.each(
                        #[inline(always)]
                        |family, place, jacobian, _, own| {
                            let along = family.dot::<F>(place, jacobian, offsets, x) + dot::<F>(own, d);
                            **total = fma::<F>(along, along, **total);
                        },
                    );
                }
            }
        }
    }
}

/// The items of a track; rows and width where all have them, so that loops have a constant length.
struct Items<'a> {
    group: &'a Group,
    families: &'a [Family],
    t: usize,
    rows: usize,
    width: usize,
    e: usize,
}

impl Items<'_> {
    /// Calls `take(family, place, row of J, row of U, row of J_e)` for every row of every item.
    #[inline(always)]
    fn each(&self, mut take: impl FnMut(&Family, usize, &[f64], &[f64], &[f64])) {
        let e = self.e;
        for &f in &self.group.families {
            let family = &self.families[f];
            let uniform = self.rows > 0;
            let (rows, width) = if uniform { (self.rows, self.width) } else { (family.rows, family.width) };
            for place in family.track(self.t) {
                let record = family.records.record(place);
                let (jacobian, rest) = record.split_at(rows * width);
                for i in 0..rows {
                    let (u, own) = (&rest[i * e..][..e], &rest[(rows + i) * e..][..e]);
                    take(family, place, &jacobian[i * width..][..width], u, own);
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
    for (s, &x) in sum.iter_mut().zip(row) {
        *s = fma::<F>(factor, x, *s);
    }
}
