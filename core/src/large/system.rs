//! The normal equations of a large problem, eliminated, factored and solved.

use std::sync::Arc;

use crate::evaluate::jobs::{n_threads, share};
use crate::linear::blocks::{BlockMatrix, BlockPattern};
use crate::linear::sparse::Cholesky;
use crate::tape::BLOCK;

use super::family::{Family, FamilySpec, Given, Scratch};
use super::group::Group;
use super::layout::{Layout, Sizes};
use super::linearize::{Part, Sums, linearize};
use super::lines::Lines;
use super::pairs::{Pairs, RowRange, analyze, ranges};
use super::points::{Points, scale_of};
use super::reduced::{Preconditioning, Reduced, Solver};

/// Values of all families of variables, each one after the other.
pub type Values<'a> = &'a [&'a [f64]];

/// Time spent in the parts of `factorize` so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seconds {
    pub eliminate: f64,
    pub assemble: f64,
    pub factor: f64,
}

/// Families of residuals over families of variables, and the state of one step: records, reduced system, factor.
pub struct System {
    pub(super) layout: Layout,
    pub(super) families: Vec<Family>,
    pub(super) groups: Vec<Group>,
    pub(super) pairs: Vec<Pairs>,
    pub(super) ranges: Vec<RowRange>,
    pub(super) matrix: BlockMatrix,
    pub(super) solver: Reduced,
    /// Steps made so far.
    pub(super) n_steps: usize,
    pub(super) points: Points,
    /// Squares of the scales of the kept unknowns; empty before the first Jacobian.
    pub(super) scale: Vec<f64>,
    pub(super) sums: Sums,
    /// The right-hand side of the reduced system, and the damping it was made with.
    pub(super) reduced: Vec<f64>,
    pub(super) lambda: f64,
    pub(super) frozen: Option<(Vec<bool>, Vec<bool>)>,
    pub(super) threads: usize,
    pub(super) seconds: Seconds,
    /// Memory of the threads that assemble.
    pub(super) tiles: Vec<Lines>,
}

impl System {
    pub fn new(
        sizes: Vec<Sizes>,
        specs: Vec<FamilySpec>,
        eliminated: Option<usize>,
        solver: Solver,
        threads: usize,
    ) -> Self {
        let layout = Layout::new(sizes, eliminated);
        let families: Vec<Family> = specs.into_iter().map(|s| Family::new(s, &layout)).collect();
        let groups = Group::all(&families, &layout);
        let threads = n_threads(threads, usize::MAX, f64::INFINITY);
        let n_items = families.iter().map(|f| f.n).sum();
        let (pattern, mut pairs, solver) = choose(&groups, &families, &layout, solver, n_items, threads);
        let ranges = ranges(&pattern, &mut pairs, threads);
        let points = Points::new(layout.n_eliminated(), layout.eliminated_width());
        let matrix = BlockMatrix::zeros(&pattern);
        System {
            families,
            groups,
            pairs,
            ranges,
            matrix,
            solver,
            n_steps: 0,
            points,
            scale: Vec::new(),
            sums: Sums::default(),
            reduced: Vec::new(),
            lambda: 0.0,
            frozen: None,
            threads,
            seconds: Seconds::default(),
            tiles: Vec::new(),
            layout,
        }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    pub fn pattern(&self) -> &Arc<BlockPattern> {
        &self.matrix.pattern
    }

    pub fn solver(&self) -> &Reduced {
        &self.solver
    }

    pub fn seconds(&self) -> Seconds {
        self.seconds
    }

    pub fn families(&self) -> &[Family] {
        &self.families
    }

    pub fn give(&mut self, family: usize, given: Given) {
        self.families[family].give(given);
    }

    /// Factors of the squared norms of a family's items.
    pub fn set_weights(&mut self, family: usize, weights: Option<&[f64]>) {
        let family = &mut self.families[family];
        family.weights = weights.map(|w| family.order.iter().map(|&i| w[i as usize]).collect());
    }

    /// Bytes of records, eliminated variables, pairs and reduced system, without the factor.
    pub fn bytes(&self) -> usize {
        let records: usize = self.families.iter().map(|f| f.n * f.stride).sum();
        let pairs: usize = self.pairs.iter().map(|p| p.target.len()).sum();
        8 * (records + self.points.all.len() + self.matrix.values.len()) + 4 * pairs
    }

    /// Half the sum of what the items cost; not finite where a residual is not.
    pub fn cost(&self, values: Values) -> f64 {
        let pieces: Vec<(usize, usize)> = (0..self.families.len())
            .flat_map(|f| (0..self.families[f].n).step_by(BLOCK).map(move |i| (f, i)))
            .collect();
        let sources: Vec<_> = self.families.iter().map(|f| f.sources(values, false)).collect();
        let mut terms = vec![0.0; pieces.len()];
        let threads = n_threads(self.threads, pieces.len(), 2e3 * pieces.len() as f64);
        share(
            threads,
            &mut Vec::<Scratch>::new(),
            pieces.iter().zip(&mut terms),
            |_, (&(f, start), term), scratch| {
                let family = &self.families[f];
                let end = family.n.min(start + BLOCK);
                let mut squares = [0.0; BLOCK];
                family.squares(&sources[f], start, end, scratch, &mut squares[..end - start]);
                *term = (start..end).zip(squares).map(|(place, s)| family.term(place, s)).sum();
            },
        );
        0.5 * terms.iter().sum::<f64>()
    }

    /// Squared norms of a family's items, weighted, before the loss.
    pub fn squared_norms(&self, values: Values, family: usize) -> Vec<f64> {
        let family = &self.families[family];
        let sources = family.sources(values, false);
        let (mut norms, mut scratch) = (vec![0.0; family.n], Scratch::default());
        for start in (0..family.n).step_by(BLOCK) {
            let end = family.n.min(start + BLOCK);
            let mut squares = [0.0; BLOCK];
            family.squares(&sources, start, end, &mut scratch, &mut squares[..end - start]);
            for (place, s) in (start..end).zip(squares) {
                norms[family.order[place] as usize] = family.weights.as_ref().map_or(s, |w| w[place] * s);
            }
        }
        norms
    }

    /// Residuals and derivatives at a point: gradient, diagonal of J'J, and the cost.
    pub fn linearize(&mut self, values: Values) -> f64 {
        let n = self.layout.n_kept;
        self.sums.reset(n);
        let sources: Vec<_> = self.families.iter().map(|f| f.sources(values, true)).collect();
        let sources = &sources[..];
        let mut records: Vec<_> = self.families.iter_mut().map(|f| std::mem::take(&mut f.records)).collect();
        for group in &self.groups {
            let mut sums = vec![Sums::default(); group.jobs.len()];
            sums.iter_mut().for_each(|s| s.reset(n));
            let mut left: Vec<&mut [f64]> = Vec::new();
            for (f, records) in records.iter_mut().enumerate() {
                if group.families.contains(&f) {
                    left.push(records.all_mut());
                }
            }
            let stride = if group.eliminated > 0 { self.points.stride } else { 0 };
            let mut points = &mut self.points.all[..];
            let mut parts = Vec::new();
            for (tracks, sums) in group.jobs.iter().zip(&mut sums) {
                let (own, rest) = points.split_at_mut(tracks.len() * stride);
                points = rest;
                let records = split(&mut left, group, &self.families, tracks);
                parts.push(Part { tracks: tracks.clone(), records, points: own, sums });
            }
            let n_items: usize = group.families.iter().map(|&f| self.families[f].n).sum();
            let threads = n_threads(self.threads, parts.len(), 50.0 * n_items as f64);
            let (families, offsets) = (&self.families, &self.layout.offset);
            share(threads, &mut Vec::<Scratch>::new(), parts.into_iter(), |_, part, scratch| {
                linearize(group, families, offsets, sources, part, scratch);
            });
            sums.iter().for_each(|s| self.sums.add(s));
        }
        self.families.iter_mut().zip(records).for_each(|(f, r)| f.records = r);
        self.set_scales();
        self.sums.cost
    }

    fn set_scales(&mut self) {
        if !self.scale.is_empty() || !self.sums.cost.is_finite() {
            return;
        }
        self.scale = self.sums.diagonal.iter().map(|&d| scale_of(d)).collect();
        let e = self.points.e;
        let [at_h, _, _, _, at_scale] = Points::parts(e);
        for point in self.points.all.chunks_mut(self.points.stride.max(1)) {
            for i in 0..e {
                point[at_scale.start + i] = scale_of(point[at_h.start + i * (i + 3) / 2]);
            }
        }
    }

    /// The gradient of the cost, family by family.
    pub fn gradient(&self) -> Vec<Vec<f64>> {
        let g = Points::parts(self.points.e)[2].clone();
        self.layout.join(&self.sums.gradient, self.of_points(|p, out| out.extend_from_slice(&p[g.clone()])))
    }

    /// The diagonal of J'J, family by family.
    pub fn diagonal(&self) -> Vec<Vec<f64>> {
        let e = self.points.e;
        let own = self.of_points(|p, out| out.extend((0..e).map(|i| p[i * (i + 3) / 2])));
        self.layout.join(&self.sums.diagonal, own)
    }

    pub(super) fn of_points(&self, take: impl Fn(&[f64], &mut Vec<f64>)) -> Vec<f64> {
        let mut all = Vec::with_capacity(self.layout.n_eliminated() * self.points.e);
        if self.points.e > 0 {
            self.points.all.chunks(self.points.stride).for_each(|p| take(p, &mut all));
        }
        all
    }
}

/// Multiplications and additions of a factorization per second, and seconds of one product of the records with a vector
/// per item: rough, as they only decide between ways that differ by far.
const FLOPS: f64 = 2e10;
const PRODUCT: f64 = 5e-8;
/// Products that a solution by conjugate gradients takes.
const PRODUCTS: f64 = 100.0;

/// The reduced system and what solves it.
fn choose(
    groups: &[Group],
    families: &[Family],
    layout: &Layout,
    solver: Solver,
    n_items: usize,
    threads: usize,
) -> (Arc<BlockPattern>, Vec<Pairs>, Reduced) {
    let (pattern, pairs) = analyze(groups, families, layout, solver.only_diagonal());
    if let Solver::Gradients(kind) = solver {
        return (pattern, pairs, Reduced::Gradients(kind, None));
    }
    let cholesky = Cholesky::analyze(&pattern, solver.kind(), threads);
    let by_gradients = PRODUCTS * PRODUCT * n_items as f64;
    if solver == Solver::Auto && layout.eliminated.is_some() && cholesky.flops() / FLOPS > by_gradients {
        let gradients = Solver::Gradients(Preconditioning::SchurJacobi);
        return choose(groups, families, layout, gradients, n_items, threads);
    }
    (pattern, pairs, Reduced::Factor(Box::new(cholesky)))
}

/// Cuts the records of some tracks off the front of what is left of each family's.
pub(super) fn split<'a>(
    left: &mut [&'a mut [f64]],
    group: &Group,
    families: &[Family],
    tracks: &std::ops::Range<usize>,
) -> Vec<&'a mut [f64]> {
    let cut = |(left, &f): (&mut &'a mut [f64], &usize)| {
        let n = families[f].tracks(tracks).len() * families[f].stride;
        let (own, rest) = std::mem::take(left).split_at_mut(n);
        *left = rest;
        own
    };
    left.iter_mut().zip(&group.families).map(cut).collect()
}
