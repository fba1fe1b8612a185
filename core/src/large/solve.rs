//! Steps and solutions with the present factor, and products with the Jacobian.

use std::ops::Range;

use crate::evaluate::jobs::{n_threads, share};

use super::back::{Pass, Walk};
use super::group::Group;
use super::points::{Points, damping_of};
use super::reduced::Reduced;
use super::system::System;

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
        let inner = self.solve_reduced(&mut kept, true);
        self.n_steps += 1;
        let z = Points::parts(self.points.e)[3].clone();
        let down = self.of_points(|p, out| out.extend(p[z.clone()].iter().map(|z| -z)));
        let parts = self.back(kept, down);
        let predicted = if matches!(self.solver, Reduced::Factor(_)) {
            self.predicted(&parts)
        } else {
            self.fall(&parts)
        };
        Step { parts, predicted, inner }
    }

    /// By how much the model falls along a solution d of (J'J + lambda D) d = -g: (lambda d'D d - g'd) / 2.
    fn predicted(&self, parts: &[Vec<f64>]) -> f64 {
        let (gradient, diagonal) = (self.gradient(), self.diagonal());
        let own = self.of_points(|p, out| out.extend_from_slice(&p[Points::parts(self.points.e)[4].clone()]));
        let scales = self.layout.join(&self.scale, own);
        let mut twice = 0.0;
        for k in 0..parts.len() {
            for (j, &d) in parts[k].iter().enumerate() {
                let damping = self.lambda * damping_of(diagonal[k][j], scales[k][j]);
                twice += d * (damping * d - gradient[k][j]);
            }
        }
        0.5 * twice
    }

    /// By how much the model falls along any d: -g'd - |J d|² / 2.
    fn fall(&self, parts: &[Vec<f64>]) -> f64 {
        let slope: f64 =
            self.gradient().iter().flatten().zip(parts.iter().flatten()).map(|(g, d)| g * d).sum();
        let views: Vec<&[f64]> = parts.iter().map(|p| &p[..]).collect();
        -slope - 0.5 * self.curvature(&views)
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
        self.back(kept, down)
    }

    fn back(&self, kept: Vec<f64>, mut down: Vec<f64>) -> Vec<Vec<f64>> {
        self.up(&kept, &mut down);
        self.layout.join(&kept, down)
    }

    /// `|J d|²`.
    pub fn curvature(&self, d: &[&[f64]]) -> f64 {
        let (kept, own) = self.layout.split(d);
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
                    self.walk(group, tracks.clone(), Pass::Curvature { x: &kept, eliminated, total });
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
        let parts = by_jobs(group, eliminated).zip(&mut sums);
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
        let parts = by_jobs(group, eliminated);
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
fn by_jobs<'a>(
    group: &Group,
    mut eliminated: &'a mut [f64],
) -> impl Iterator<Item = (Range<usize>, &'a mut [f64])> + Send {
    let mut parts = Vec::with_capacity(group.jobs.len());
    for tracks in &group.jobs {
        let (own, rest) = eliminated.split_at_mut(tracks.len() * group.eliminated);
        eliminated = rest;
        parts.push((tracks.clone(), own));
    }
    parts.into_iter()
}
