//! Eliminate the points, assemble the reduced system, damp it, factor it.

use std::time::Instant;

use crate::evaluate::jobs::{n_threads, share};
use crate::linear::blocks::BlockMatrix;

use super::assemble::Assemble;
use super::eliminate::Eliminate;
use super::points::damping_of;
use super::reduced::{Preconditioning, Reduced};
use super::shape::Shaped;
use super::system::{System, by_jobs};

impl System {
    /// Factors J'J + lambda D, frozen components apart. False where it is not positive definite. `exactly`: solutions that
    /// follow are wanted to all digits.
    pub fn factorize(&mut self, lambda: f64, frozen: Option<&[&[bool]]>, exactly: bool) -> bool {
        if exactly {
            self.want_factor();
        }
        self.lambda = lambda;
        self.frozen = frozen.map(|parts| {
            let kept = (0..parts.len()).filter(|&k| self.layout.is_kept(k));
            let kept = kept.flat_map(|k| parts[k]).copied().collect();
            (kept, self.layout.eliminated.map_or(Vec::new(), |k| parts[k].to_vec()))
        });
        let clock = Instant::now();
        self.eliminate();
        self.seconds.eliminate += clock.elapsed().as_secs_f64();
        self.reduce()
    }

    /// Assembles and damps the reduced matrix and makes ready what solves it. False where it is not positive definite.
    pub(super) fn reduce(&mut self) -> bool {
        let clock = Instant::now();
        self.assemble();
        self.damp();
        let assembled = clock.elapsed().as_secs_f64();
        let is_positive = self.solver.factorize(&self.matrix, self.threads);
        self.seconds.assemble += assembled;
        self.seconds.factor += clock.elapsed().as_secs_f64() - assembled;
        is_positive
    }

    fn eliminate(&mut self) {
        let n = self.layout.n_kept;
        self.reduced = self.sums.gradient.iter().map(|g| -g).collect();
        let Some(group) = self.groups.iter().find(|g| g.eliminated > 0) else { return };
        let mut records: Vec<_> = self.families.iter_mut().map(|f| std::mem::take(&mut f.records)).collect();
        let mut sums = vec![vec![0.0; n]; group.jobs.len()];
        let (families, offsets) = (&self.families[..], &self.layout.offset[..]);
        let frozen = self.frozen.as_ref().map(|f| &f.1[..]);
        let jobs = by_jobs(group, families, &mut records, &mut self.points).zip(&mut sums);
        let lambda = self.lambda;
        let parts: Vec<Eliminate> = jobs
            .map(|(job, sums)| Eliminate { group, families, offsets, job, lambda, frozen, sums })
            .collect();
        let n_items: usize = group.families.iter().map(|&f| self.families[f].n).sum();
        let threads = n_threads(self.threads, parts.len(), 20.0 * n_items as f64);
        share(threads, &mut Vec::<()>::new(), parts.into_iter(), |_, part, ()| part.run());
        for sums in &sums {
            self.reduced.iter_mut().zip(sums).for_each(|(b, s)| *b += s);
        }
        self.families.iter_mut().zip(records).for_each(|(f, r)| f.records = r);
    }

    fn assemble(&mut self) {
        self.matrix.values.fill(0.0);
        let pattern = self.matrix.pattern.clone();
        let row_at = |row: usize| pattern.block_start[pattern.row_start[row]];
        let mut values = &mut self.matrix.values[..];
        let mut parts = Vec::new();
        for range in &self.ranges {
            let first = row_at(range.rows.start);
            let (own, rest) = values.split_at_mut(row_at(range.rows.end) - first);
            values = rest;
            parts.push((range, first, own));
        }
        let n_pairs: usize = self.pairs.iter().map(|p| p.target.len()).sum();
        let threads = n_threads(self.threads, parts.len(), 10.0 * n_pairs as f64);
        let (groups, families, pairs, pattern) = (&self.groups, &self.families, &self.pairs, &*pattern);
        let whole = matches!(self.solver, Reduced::Gradients(Preconditioning::Jacobi, _));
        share(threads, &mut self.tiles, parts.into_iter(), |_, (range, first, values), tiles| {
            for (k, group) in groups.iter().enumerate() {
                let (pairs, tracks) = (&pairs[k], &range.tracks[k][..]);
                Assemble {
                    group,
                    families,
                    pairs,
                    pattern,
                    range,
                    tracks,
                    values: &mut *values,
                    first,
                    whole,
                }
                .run(tiles);
            }
        });
    }

    /// Damping on the diagonal of the reduced system; rows and columns of frozen unknowns become those of the identity.
    fn damp(&mut self) {
        let BlockMatrix { pattern, values } = &mut self.matrix;
        let frozen = self.frozen.as_ref().map(|f| &f.0[..]).filter(|f| f.contains(&true));
        let touched: Vec<bool> = (0..pattern.n_blocks())
            .map(|row| frozen.is_some_and(|f| f[pattern.rows(row)].contains(&true)))
            .collect();
        for row in 0..pattern.sizes.len() {
            let (n, at) = (pattern.sizes[row] as usize, pattern.offsets[row]);
            for k in pattern.row_start[row]..pattern.row_start[row + 1] {
                let column = pattern.columns[k] as usize;
                let (m, from) = (pattern.sizes[column] as usize, pattern.offsets[column]);
                let block = &mut values[pattern.block_start[k]..][..n * m];
                if column == row {
                    for i in 0..n {
                        block[i * n + i] +=
                            self.lambda * damping_of(self.sums.diagonal[at + i], self.scale[at + i]);
                    }
                }
                let Some(frozen) = frozen.filter(|_| touched[row] || touched[column]) else { continue };
                for i in 0..n {
                    for j in 0..m {
                        if frozen[at + i] || frozen[from + j] {
                            block[i * m + j] = if at + i == from + j { 1.0 } else { 0.0 };
                        }
                    }
                }
            }
        }
        if let Some(frozen) = frozen {
            self.reduced.iter_mut().zip(frozen).filter(|(_, f)| **f).for_each(|(b, _)| *b = 0.0);
        }
    }
}
