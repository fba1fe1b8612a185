//! The normal equations of a large problem, eliminated, factored and solved.

use std::sync::Arc;
use std::thread::spawn;

use crate::evaluate::jobs::{n_threads, share};
use crate::linear::blocks::{BlockMatrix, BlockPattern};
use crate::linear::sparse::Cholesky;
use crate::tape::BLOCK;
use crate::threads::{Soon, promise};

use super::family::{Contents, Family, Given, Scratch, Slots};
use super::group::Group;
use super::layout::{Layout, Sizes};
use super::linearize::{Job, Part, Sums, linearize};
use super::lines::Lines;
use super::pairs::{Pairs, RowRange, analyze, ranges};
use super::points::{Points, scale_of};
use super::reduced::{Analysis, Preconditioning, Reduced, Solver};

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
    /// Conjugate gradient steps after which the factor is made after all. None: there is a factor, or none is wanted.
    pub(super) patience: Option<usize>,
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
    /// Memory of the threads that assemble, of those that evaluate, and of the jobs of a group.
    pub(super) tiles: Vec<Lines>,
    scratch: Vec<Scratch>,
    parts: Vec<Sums>,
}

/// What is known of a system before its functions are: who meets whom, in which order, what will be stored where.
pub struct Structure(System);

impl Structure {
    /// Begins the analysis in a thread of its own. `families` : the slots of each.
    pub fn begin(
        sizes: Vec<Sizes>,
        families: Vec<Slots>,
        eliminated: Option<usize>,
        solver: Solver,
        threads: usize,
    ) -> Soon<Self> {
        let (give, soon) = promise();
        spawn(move || {
            let (structure, analysis) = Structure::new(sizes, families, eliminated, solver, threads);
            if give.send(structure).is_ok() {
                analysis.into_iter().for_each(Analysis::run);
            }
        });
        soon
    }

    /// The structure, and what its factor is still to be analyzed by.
    fn new(
        sizes: Vec<Sizes>,
        families: Vec<Slots>,
        eliminated: Option<usize>,
        solver: Solver,
        threads: usize,
    ) -> (Self, Option<Analysis>) {
        let layout = Layout::new(sizes, eliminated);
        let families: Vec<Family> = families.into_iter().map(|s| Family::new(s, &layout)).collect();
        let groups = Group::all(&families, &layout);
        let threads = n_threads(threads, usize::MAX, f64::INFINITY);
        let (mut pattern, mut pairs) = analyze(&groups, &families, &layout, solver.only_diagonal());
        let (mut patience, mut analysis) = (None, None);
        let mut reduced = if eliminated.is_some() || threads == 1 || matches!(solver, Solver::Gradients(_)) {
            Reduced::of(solver, &pattern, threads)
        } else {
            let (reduced, later) = Reduced::later(solver, &pattern, threads);
            analysis = Some(later);
            reduced
        };
        if let (Solver::Auto, Reduced::Factor(factor), Some(_)) = (solver, &reduced, eliminated) {
            patience = products_of(factor, &pairs, families.iter().map(|f| f.n).sum());
        }
        if patience.is_some() {
            let gradients = Solver::Gradients(Preconditioning::SchurJacobi);
            (pattern, pairs) = analyze(&groups, &families, &layout, true);
            reduced = Reduced::of(gradients, &pattern, threads);
        }
        let ranges = ranges(&pattern, &mut pairs, threads);
        let points = Points::new(layout.n_eliminated(), layout.eliminated_width());
        let matrix = BlockMatrix::zeros(&pattern);
        let n_jobs = groups.iter().map(|g| g.jobs.len()).max().unwrap_or(0);
        let mut parts = vec![Sums::default(); n_jobs];
        parts.iter_mut().for_each(|sums| sums.reset(layout.n_kept));
        let structure = Structure(System {
            families,
            groups,
            pairs,
            ranges,
            matrix,
            solver: reduced,
            patience,
            points,
            scale: Vec::new(),
            sums: Sums::default(),
            reduced: Vec::new(),
            lambda: 0.0,
            frozen: None,
            threads,
            seconds: Seconds::default(),
            tiles: Vec::new(),
            scratch: Vec::new(),
            parts,
            layout,
        });
        (structure, analysis)
    }
}

impl System {
    /// `contents` : what the items of each family of the structure compute.
    pub fn new(structure: Structure, contents: Vec<Contents>) -> Self {
        let mut system = structure.0;
        system.families.iter_mut().zip(contents).for_each(|(family, c)| family.supply(c));
        system
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    pub fn pattern(&self) -> &Arc<BlockPattern> {
        &self.matrix.pattern
    }

    /// Waits for what solves the reduced system.
    pub fn wait(&mut self) {
        self.solver.wait(&self.matrix.pattern, self.threads);
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

    /// Least part of the curvature of the squares that losses leave along the residuals, from the next Jacobian on.
    pub fn set_floor(&mut self, floor: f64) {
        self.families.iter_mut().for_each(|f| f.floor = floor);
    }

    /// Bytes of records, eliminated variables, pairs and reduced system, without the factor.
    pub fn bytes(&self) -> usize {
        let records: usize = self.families.iter().map(|f| f.n * f.stride).sum();
        let pairs: usize = self.pairs.iter().map(|p| p.target.len()).sum();
        8 * (records + self.points.all.len() + self.matrix.values.len()) + 4 * pairs
    }

    /// Half the sum of what the items cost; not finite where a residual is not.
    pub fn cost(&mut self, values: Values) -> f64 {
        let pieces: Vec<(usize, usize)> = (0..self.families.len())
            .flat_map(|f| (0..self.families[f].n).step_by(BLOCK).map(move |i| (f, i)))
            .collect();
        let sources: Vec<_> = self.families.iter().map(|f| f.sources(values, false)).collect();
        let mut terms = vec![0.0; pieces.len()];
        let threads = n_threads(self.threads, pieces.len(), 2e3 * pieces.len() as f64);
        let families = &self.families;
        share(
            threads,
            &mut self.scratch,
            pieces.iter().zip(&mut terms),
            |_, (&(f, start), term), scratch| {
                let family = &families[f];
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
            let sums = &mut self.parts[..group.jobs.len()];
            sums.iter_mut().for_each(|s| s.reset(n));
            let jobs = by_jobs(group, &self.families, &mut records, &mut self.points).zip(&mut *sums);
            let parts: Vec<Part> = jobs.map(|(job, sums)| Part { job, sums }).collect();
            let n_items: usize = group.families.iter().map(|&f| self.families[f].n).sum();
            let wanted = if self.solver.is_soon() { 1 } else { self.threads };
            let threads = n_threads(wanted, parts.len(), 50.0 * n_items as f64);
            let (families, offsets) = (&self.families, &self.layout.offset);
            share(threads, &mut self.scratch, parts.into_iter(), |_, part, scratch| {
                linearize(group, families, offsets, sources, part, scratch);
            });
            sums.iter().for_each(|s| self.sums.add(s));
        }
        self.families.iter_mut().zip(records).for_each(|(f, r)| f.records = r);
        self.set_scales();
        self.sums.cost
    }

    /// Gives conjugate gradients up where they were only tried: the next factorization is one.
    pub(super) fn want_factor(&mut self) {
        if self.patience.take().is_none() {
            return;
        }
        let (pattern, pairs) = analyze(&self.groups, &self.families, &self.layout, false);
        self.solver = Reduced::of(Solver::Auto, &pattern, self.threads);
        self.pairs = pairs;
        self.ranges = ranges(&pattern, &mut self.pairs, self.threads);
        self.matrix = BlockMatrix::zeros(&pattern);
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

/// Seconds of a multiplication or addition of a factorization, of a pair of items in the reduced matrix, and of an item in
/// a product with the records. Measured on two threads: they only decide between ways that differ by far.
const FLOP: f64 = 2e-11;
const PAIR: f64 = 1e-8;
const PRODUCT: f64 = 5e-8;
/// Conjugate gradients are tried where reduced matrix and factor take as long as so many products. A step of 500 cameras
/// in a collection takes 27 and needs 3; of 150 it takes 5; of a street, where each step may need 500, 1 to 3.
const WORTH: f64 = 10.0;
/// A step that takes less is not worth being solved roughly.
const LEAST_SECONDS: f64 = 0.02;

/// How many products take as long as the reduced matrix with its factor, where these are many.
fn products_of(factor: &Cholesky, pairs: &[Pairs], n_items: usize) -> Option<usize> {
    let n_pairs: usize = pairs.iter().map(|p| p.target.len()).sum();
    let seconds = FLOP * factor.flops() + PAIR * n_pairs as f64;
    let products = seconds / (PRODUCT * n_items as f64);
    (seconds > LEAST_SECONDS && products > WORTH).then_some(products as usize)
}

/// What the jobs of a group write: tracks with the records of their items, by family, and their eliminated variables.
pub(super) fn by_jobs<'a>(
    group: &'a Group,
    families: &'a [Family],
    records: &'a mut [Lines],
    points: &'a mut Points,
) -> impl Iterator<Item = Job<'a>> {
    let own = records.iter_mut().enumerate().filter(|(f, _)| group.families.contains(f));
    let mut left: Vec<&mut [f64]> = own.map(|(_, records)| records.all_mut()).collect();
    let stride = if group.eliminated > 0 { points.stride } else { 0 };
    let mut points = &mut points.all[..];
    group.jobs.iter().map(move |tracks| {
        let cut = |(left, &f): (&mut &'a mut [f64], &usize)| {
            cut_off(left, families[f].tracks(tracks).len() * families[f].stride)
        };
        let records = left.iter_mut().zip(&group.families).map(cut).collect();
        Job { tracks: tracks.clone(), records, points: cut_off(&mut points, tracks.len() * stride) }
    })
}

/// The first `n` numbers, which are no longer left.
pub(super) fn cut_off<'a>(left: &mut &'a mut [f64], n: usize) -> &'a mut [f64] {
    let (own, rest) = std::mem::take(left).split_at_mut(n);
    *left = rest;
    own
}
