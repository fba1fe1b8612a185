//! Steps and solutions with the present factor, and products with the Jacobian.

use std::ops::Range;

use crate::evaluate::jobs::{n_threads, share};

use super::back::{Pass, Walk};
use super::group::Group;
use super::points::{Points, damping_of};
use super::reduced::Reduced;
use super::shape::Shaped;
use super::system::{System, cut_off};

/// A step, and by how much the model says it reduces the cost.
pub struct Step {
    pub parts: Vec<Vec<f64>>,
    pub predicted: f64,
    /// Steps of conjugate gradients.
    pub inner: usize,
}

impl System {
    /// The step against the gradient with the present factor.
    pub fn step(&mut self) -> Step {
        let mut kept = self.reduced.clone();
        let mut inner = self.solve_reduced(&mut kept, true);
        if self.patience.is_some_and(|most| inner >= most) {
            self.want_factor();
            if self.reduce() {
                kept.clone_from(&self.reduced);
                inner += self.solve_reduced(&mut kept, true);
            }
        }
        let z = Points::parts(self.points.e)[3].clone();
        let mut down = self.of_points(|p, out| out.extend(p[z.clone()].iter().map(|z| -z)));
        self.up(&kept, &mut down);
        let exact = matches!(self.solver, Reduced::Factor(_));
        let predicted = if exact { self.predicted(&kept, &down) } else { self.fall(&kept, &down) };
        Step { parts: self.layout.join(&kept, down), predicted, inner }
    }

    /// By how much the model falls along a solution d of (J'J + lambda D) d = -g: (lambda d'D d - g'd) / 2.
    fn predicted(&self, kept: &[f64], own: &[f64]) -> f64 {
        0.5 * self.over_unknowns(kept, own, |d, slope, square, scale| {
            d * (self.lambda * damping_of(square, scale) * d - slope)
        })
    }

    /// By how much the model falls along any d: -g'd - |J d|² / 2.
    fn fall(&self, kept: &[f64], own: &[f64]) -> f64 {
        let slope = self.over_unknowns(kept, own, |d, slope, _, _| d * slope);
        -slope - 0.5 * self.along(kept, own)
    }

    /// Sums `term(d, gradient, diagonal of J'J, scale)` over all unknowns.
    fn over_unknowns(&self, kept: &[f64], own: &[f64], term: impl Fn(f64, f64, f64, f64) -> f64) -> f64 {
        let mut sum = 0.0;
        for (j, &d) in kept.iter().enumerate() {
            sum += term(d, self.sums.gradient[j], self.sums.diagonal[j], self.scale[j]);
        }
        let e = self.points.e;
        let [_, _, at_g, _, at_scale] = Points::parts(e);
        for (k, &d) in own.iter().enumerate() {
            let (point, i) = (self.points.of(k / e), k % e);
            sum += term(d, point[at_g.start + i], point[i * (i + 3) / 2], point[at_scale.start + i]);
        }
        sum
    }

    /// The solution of (J'J + lambda D) x = b with the present factor.
    pub fn solve(&mut self, b: &[&[f64]]) -> Vec<Vec<f64>> {
        let (mut kept, mut down) = self.layout.split(b);
        if let Some((frozen, own)) = &self.frozen {
            kept.iter_mut().zip(frozen).filter(|(_, f)| **f).for_each(|(b, _)| *b = 0.0);
            down.iter_mut().zip(own).filter(|(_, f)| **f).for_each(|(b, _)| *b = 0.0);
        }
        let sums = self.down(&mut down);
        kept.iter_mut().zip(&sums).for_each(|(b, s)| *b -= s);
        if let Some((frozen, _)) = &self.frozen {
            kept.iter_mut().zip(frozen).filter(|(_, f)| **f).for_each(|(b, _)| *b = 0.0);
        }
        self.solve_reduced(&mut kept, false);
        self.up(&kept, &mut down);
        self.layout.join(&kept, down)
    }

    /// `|J d|²`.
    pub fn curvature(&self, d: &[&[f64]]) -> f64 {
        let (kept, own) = self.layout.split(d);
        self.along(&kept, &own)
    }

    fn along(&self, kept: &[f64], own: &[f64]) -> f64 {
        let mut total = 0.0;
        for group in &self.groups {
            let mut totals = vec![0.0; group.jobs.len()];
            let parts: Vec<_> = group.jobs.iter().zip(&mut totals).collect();
            let e = group.eliminated;
            share(
                self.threads_for(group),
                &mut Vec::<()>::new(),
                parts.into_iter(),
                |_, (tracks, total), ()| {
                    let eliminated = &own[tracks.start * e..tracks.end * e];
                    self.walk(group, tracks.clone(), Pass::Curvature { x: kept, eliminated, total });
                },
            );
            total += totals.iter().sum::<f64>();
        }
        total
    }

    /// The reduced matrix times x, without the matrix and without damping.
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; self.layout.n_kept];
        for group in &self.groups {
            let mut sums = vec![vec![0.0; self.layout.n_kept]; group.jobs.len()];
            let parts: Vec<_> = group.jobs.iter().zip(&mut sums).collect();
            share(
                self.threads_for(group),
                &mut Vec::<()>::new(),
                parts.into_iter(),
                |_, (tracks, sums), ()| {
                    self.walk(group, tracks.clone(), Pass::Apply { x, sums });
                },
            );
            for part in &sums {
                sum.iter_mut().zip(part).for_each(|(a, b)| *a += b);
            }
        }
        sum
    }

    /// `z = L^-1 b` of the eliminated b, in its place, and the sums of J_c' U z.
    fn down(&self, eliminated: &mut [f64]) -> Vec<f64> {
        let mut sum = vec![0.0; self.layout.n_kept];
        let Some(group) = self.tracked() else { return sum };
        let mut sums = vec![sum.clone(); group.jobs.len()];
        let parts = cut_by_jobs(group, eliminated).zip(&mut sums);
        share(
            self.threads_for(group),
            &mut Vec::<()>::new(),
            parts,
            |_, ((tracks, eliminated), sums), ()| {
                self.walk(group, tracks, Pass::Down { eliminated, sums });
            },
        );
        for part in &sums {
            sum.iter_mut().zip(part).for_each(|(a, b)| *a += b);
        }
        sum
    }

    /// The eliminated unknowns from z, in its place, and the kept ones.
    fn up(&self, kept: &[f64], eliminated: &mut [f64]) {
        let Some(group) = self.tracked() else { return };
        let parts = cut_by_jobs(group, eliminated);
        share(self.threads_for(group), &mut Vec::<()>::new(), parts, |_, (tracks, eliminated), ()| {
            self.walk(group, tracks, Pass::Back { x: kept, eliminated });
        });
    }

    fn tracked(&self) -> Option<&Group> {
        self.groups.iter().find(|g| g.eliminated > 0)
    }

    fn walk(&self, group: &Group, tracks: Range<usize>, pass: Pass) {
        let (families, offsets, points) = (&self.families, &self.layout.offset, &self.points);
        Walk { group, families, offsets, points, tracks, pass }.run();
    }

    fn threads_for(&self, group: &Group) -> usize {
        let n_items: usize = group.families.iter().map(|&f| self.families[f].n).sum();
        n_threads(self.threads, group.jobs.len(), 10.0 * n_items as f64)
    }
}

/// The jobs of a group with their part of the eliminated unknowns.
fn cut_by_jobs<'a>(
    group: &Group,
    mut eliminated: &'a mut [f64],
) -> impl Iterator<Item = (Range<usize>, &'a mut [f64])> + Send {
    let cut = |t: &Range<usize>| (t.clone(), cut_off(&mut eliminated, t.len() * group.eliminated));
    group.jobs.iter().map(cut).collect::<Vec<_>>().into_iter()
}
