//! One pass over the items: residuals and derivatives into the records, blocks of the eliminated variables, gradient.

use std::ops::Range;

use crate::tape::BLOCK;

use super::family::{Family, Scratch, Source};
use super::fused::fma;
use super::group::Group;
use super::points::Points;
use super::shape::Shaped;
use super::weigh::weigh;

/// Tracks with the records of their items, per family of the group, and their eliminated variables.
pub struct Job<'a> {
    pub tracks: Range<usize>,
    pub records: Vec<&'a mut [f64]>,
    pub points: &'a mut [f64],
}

/// What one job writes.
pub struct Part<'a> {
    pub job: Job<'a>,
    pub sums: &'a mut Sums,
}

/// Sums over the items of a job, by kept unknown.
#[derive(Clone, Default)]
pub struct Sums {
    pub cost: f64,
    pub gradient: Vec<f64>,
    pub diagonal: Vec<f64>,
}

impl Sums {
    pub fn reset(&mut self, n: usize) {
        self.cost = 0.0;
        for part in [&mut self.gradient, &mut self.diagonal] {
            part.clear();
            part.resize(n, 0.0);
        }
    }

    pub fn add(&mut self, other: &Sums) {
        self.cost += other.cost;
        self.gradient.iter_mut().zip(&other.gradient).for_each(|(a, b)| *a += b);
        self.diagonal.iter_mut().zip(&other.diagonal).for_each(|(a, b)| *a += b);
    }
}

pub fn linearize(
    group: &Group,
    families: &[Family],
    offsets: &[usize],
    sources: &[Vec<Source>],
    part: Part,
    s: &mut Scratch,
) {
    let Part { job: Job { tracks, mut records, points }, sums } = part;
    let first: Vec<usize> = group.families.iter().map(|&f| families[f].tracks(&tracks).start).collect();
    let mut begin = tracks.start;
    while begin < tracks.end {
        let end = end_of_batch(group, families, begin, tracks.end);
        for ((&f, records), &first) in group.families.iter().zip(&mut records).zip(&first) {
            let family = &families[f];
            let places = family.tracks(&(begin..end));
            for a in places.clone().step_by(BLOCK) {
                let b = places.end.min(a + BLOCK);
                let own = &mut records[(a - first) * family.stride..];
                family.linearize(&sources[f], a, b, own, s);
                sums.cost += weigh(family, a, b, own);
            }
        }
        let stride = Points::new(0, group.eliminated).stride;
        let points = &mut points[(begin - tracks.start) * stride..][..(end - begin) * stride];
        let records: Vec<&[f64]> = records.iter().map(|r| &**r).collect();
        let batch = Batch {
            group,
            families,
            offsets,
            records: &records,
            first: &first,
            points,
            tracks: begin..end,
            sums,
        };
        batch.run();
        begin = end;
    }
}

/// Tracks that fill a block of the tape, or one long track.
fn end_of_batch(group: &Group, families: &[Family], begin: usize, end: usize) -> usize {
    let items = |t: usize| group.families.iter().map(|&f| families[f].track(t).len()).sum::<usize>();
    let (mut t, mut n) = (begin + 1, items(begin));
    while t < end && n + items(t) <= BLOCK {
        n += items(t);
        t += 1;
    }
    t
}

/// Sums up the records just written, while they are in the cache.
struct Batch<'a> {
    group: &'a Group,
    families: &'a [Family],
    offsets: &'a [usize],
    records: &'a [&'a [f64]],
    /// First place of each family's records.
    first: &'a [usize],
    points: &'a mut [f64],
    tracks: Range<usize>,
    sums: &'a mut Sums,
}

impl Shaped for Batch<'_> {
    fn group(&self) -> (&Group, &[Family]) {
        (self.group, self.families)
    }

    #[inline(always)]
    fn pass<const F: bool>(self, rows: usize, width: usize, e: usize) {
        let Batch { group, families, offsets, records, first, points, tracks, sums } = self;
        let stride = e * (e + 1) + 3 * e;
        let [at_h, _, at_g, ..] = Points::parts(e);
        for (k, t) in tracks.enumerate() {
            let point = &mut points[k * stride..][..stride];
            point[at_h.clone()].fill(0.0);
            point[at_g.clone()].fill(0.0);
            for ((&f, records), &first) in group.families.iter().zip(records).zip(first) {
                let family = &families[f];
                let (rows, width) = if rows == 0 { (family.rows, family.width) } else { (rows, width) };
                for place in family.track(t) {
                    let record = &records[(place - first) * family.stride..][..family.stride];
                    let residuals = &record[rows * (width + 2 * e)..][..rows];
                    let own = &record[rows * (width + e)..][..rows * e];
                    block_and_gradient::<F>(e, rows, own, residuals, point);
                    for &s in &family.kept {
                        let slot = &family.slots[s];
                        let at = offsets[slot.variable] + slot.index[place] as usize * slot.tangent;
                        let n = if family.kept.len() == 1 { width } else { slot.tangent };
                        let (g, d) = (&mut sums.gradient[at..][..n], &mut sums.diagonal[at..][..n]);
                        let jacobian = &record[slot.column..][..(rows - 1) * width + n];
                        for c in 0..n {
                            let (mut slope, mut square) = (g[c], d[c]);
                            for i in 0..rows {
                                let x = jacobian[i * width + c];
                                slope = fma::<F>(x, residuals[i], slope);
                                square = fma::<F>(x, x, square);
                            }
                            (g[c], d[c]) = (slope, square);
                        }
                    }
                }
            }
        }
    }
}

/// H += J_e' J_e and g += J_e' r of one item.
#[inline(always)]
fn block_and_gradient<const F: bool>(
    e: usize,
    rows: usize,
    own: &[f64],
    residuals: &[f64],
    point: &mut [f64],
) {
    let p = e * (e + 1) / 2;
    for i in 0..rows {
        let row = &own[i * e..][..e];
        for a in 0..e {
            for b in 0..=a {
                let at = a * (a + 1) / 2 + b;
                point[at] = fma::<F>(row[a], row[b], point[at]);
            }
            point[2 * p + a] = fma::<F>(row[a], residuals[i], point[2 * p + a]);
        }
    }
}
