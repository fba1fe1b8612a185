//! Elimination of the points: L of each damped block, U = J_e L^-T of each item, and the reduced right-hand side.

use super::family::Family;
use super::fused::fma;
use super::group::Group;
use super::linearize::Job;
use super::points::{Points, factor, forward};
use super::shape::Shaped;

/// What one job of a tracked group writes.
pub struct Eliminate<'a> {
    pub group: &'a Group,
    pub families: &'a [Family],
    pub offsets: &'a [usize],
    pub job: Job<'a>,
    pub lambda: f64,
    /// Frozen components of the eliminated family.
    pub frozen: Option<&'a [bool]>,
    /// Per kept unknown, the sum of J' U z: the part of the gradient that goes with the points.
    pub sums: &'a mut Vec<f64>,
}

impl Shaped for Eliminate<'_> {
    fn group(&self) -> (&Group, &[Family]) {
        (self.group, self.families)
    }

    #[inline(always)]
    fn pass<const F: bool>(self, rows: usize, width: usize, e: usize) {
        let Eliminate { group, families, offsets, job, lambda, frozen, sums } = self;
        let Job { tracks, mut records, points } = job;
        let stride = e * (e + 1) + 3 * e;
        let [_, at_l, at_g, at_z, _] = Points::parts(e);
        let first: Vec<usize> = group.families.iter().map(|&f| families[f].tracks(&tracks).start).collect();
        for (k, t) in tracks.enumerate() {
            let point = &mut points[k * stride..][..stride];
            factor::<F>(e, point, lambda, frozen.map(|f| &f[t * e..][..e]));
            point.copy_within(at_g.clone(), at_z.start);
            let (l, z) = point.split_at_mut(at_z.start);
            let (l, z) = (&l[at_l.clone()], &mut z[..e]);
            forward::<F>(e, l, z);
            for ((&f, records), &first) in group.families.iter().zip(&mut records).zip(&first) {
                let family = &families[f];
                let (rows, width) = if rows == 0 { (family.rows, family.width) } else { (rows, width) };
                for place in family.track(t) {
                    let record = &mut records[(place - first) * family.stride..][..family.stride];
                    record.copy_within(rows * (width + e)..rows * (width + 2 * e), rows * width);
                    let (jacobian, rest) = record.split_at_mut(rows * width);
                    for i in 0..rows {
                        let u = &mut rest[i * e..][..e];
                        forward::<F>(e, l, u);
                        let mut along = 0.0;
                        for a in 0..e {
                            along = fma::<F>(u[a], z[a], along);
                        }
                        family.scatter::<F>(place, &jacobian[i * width..][..width], offsets, along, sums);
                    }
                }
            }
        }
    }
}

impl Family {
    /// sums += factor * row, at the unknowns of an item.
    #[inline(always)]
    pub fn scatter<const F: bool>(
        &self,
        place: usize,
        row: &[f64],
        offsets: &[usize],
        factor: f64,
        sums: &mut [f64],
    ) {
        for &s in &self.kept {
            let slot = &self.slots[s];
            let n = if self.kept.len() == 1 { row.len() } else { slot.tangent };
            let sums = &mut sums[offsets[slot.variable] + slot.index[place] as usize * slot.tangent..][..n];
            for (sum, &x) in sums.iter_mut().zip(&row[slot.column..][..n]) {
                *sum = fma::<F>(factor, x, *sum);
            }
        }
    }

    /// The product of a row with the unknowns of an item.
    #[inline(always)]
    pub fn dot<const F: bool>(&self, place: usize, row: &[f64], offsets: &[usize], x: &[f64]) -> f64 {
        let mut sum = 0.0;
        for &s in &self.kept {
            let slot = &self.slots[s];
            let n = if self.kept.len() == 1 { row.len() } else { slot.tangent };
            let x = &x[offsets[slot.variable] + slot.index[place] as usize * slot.tangent..][..n];
            for (&a, &b) in row[slot.column..][..n].iter().zip(x) {
                sum = fma::<F>(a, b, sum);
            }
        }
        sum
    }
}
