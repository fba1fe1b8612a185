//! Blocks on the diagonal of the inverse of the normal equations: what covariances are made of.

use crate::evaluate::jobs::{n_threads, share};
use crate::linear::blocks::BlockPattern;
use crate::linear::sparse::Cholesky;

use super::group::{Group, Unit};
use super::points::{Points, backward, forward};
use super::reduced::Reduced;
use super::system::System;

/// Tracks that a thread takes at a time.
const TRACKS: usize = 256;

/// Blocks of the inverse of the reduced matrix, in the pattern of the matrix.
struct Selected<'a> {
    pattern: &'a BlockPattern,
    blocks: Vec<Vec<f64>>,
}

impl Selected<'_> {
    /// Entry (i, j) of block (row, column) for any order of the two; 0 outside the pattern.
    fn block(&self, row: usize, column: usize) -> (Option<&[f64]>, bool) {
        let (upper, (row, column)) = (column > row, (row.max(column), row.min(column)));
        let range = self.pattern.row_start[row]..self.pattern.row_start[row + 1];
        let found = self.pattern.columns[range.clone()].binary_search(&(column as u32));
        (found.ok().map(|k| &self.blocks[range.start + k][..]), upper)
    }
}

impl System {
    /// The blocks (i, i) of (J'J + lambda D)^-1, by the present factor, for all variables of a family, row-major one
    /// after the other; what is frozen is 0. None where the reduced system has no factor.
    ///
    /// Of kept variables they are blocks of the reduced inverse (Takahashi). Of an eliminated variable, whose block is
    /// L L', it is `L^-T (I + Σ V_c S^-1_cd V_d') L^-1` with `V_c = U' J_c`.
    pub fn inverse_diagonal(&self, family: usize) -> Option<Vec<f64>> {
        let factor = self.factor()?;
        let mut all = match self.layout.is_kept(family) {
            true => self.kept_inverse(factor, family),
            false => self.eliminated_inverse(factor),
        };
        self.clear_frozen(family, &mut all);
        Some(all)
    }

    fn kept_inverse(&self, factor: &Cholesky, family: usize) -> Vec<f64> {
        let first = self.layout.first_block[family];
        let wanted: Vec<(u32, u32)> =
            (first..first + self.layout.sizes[family].n).map(|b| (b as u32, b as u32)).collect();
        factor.inverse_blocks(&wanted).concat()
    }

    fn eliminated_inverse(&self, factor: &Cholesky) -> Vec<f64> {
        let e = self.points.e;
        let mut all = vec![0.0; self.layout.n_eliminated() * e * e];
        let Some(group) = self.groups.iter().find(|g| g.eliminated > 0) else { return all };
        let pattern = &*self.matrix.pattern;
        let rows = (0..pattern.sizes.len())
            .flat_map(|r| (pattern.row_start[r]..pattern.row_start[r + 1]).map(move |k| (r as u32, k)));
        let wanted: Vec<(u32, u32)> = rows.map(|(r, k)| (r, pattern.columns[k])).collect();
        let selected = Selected { pattern, blocks: factor.inverse_blocks(&wanted) };
        let parts: Vec<_> = all.chunks_mut(TRACKS * e * e).enumerate().collect();
        let threads = n_threads(self.threads, parts.len(), 1e4 * group.n_tracks as f64);
        share(threads, &mut Vec::<Vec<Unit>>::new(), parts.into_iter(), |_, (k, blocks), units| {
            for (i, block) in blocks.chunks_mut(e * e).enumerate() {
                self.track_inverse(group, k * TRACKS + i, &selected, units, block);
            }
        });
        all
    }

    fn track_inverse(
        &self,
        group: &Group,
        track: usize,
        selected: &Selected,
        units: &mut Vec<Unit>,
        block: &mut [f64],
    ) {
        let e = group.eliminated;
        group.units(&self.families, track, units);
        let sides: Vec<Vec<f64>> = units.iter().map(|u| self.side(u, e)).collect();
        for i in 0..e {
            block[i * e + i] = 1.0;
        }
        for (u, a) in units.iter().zip(&sides) {
            for (v, b) in units.iter().zip(&sides) {
                if let (Some(inverse), upper) = selected.block(u.block as usize, v.block as usize) {
                    let at = |i: usize, j: usize| {
                        if upper { inverse[j * u.width + i] } else { inverse[i * v.width + j] }
                    };
                    add_product(e, (a, u.width), at, (b, v.width), block);
                }
            }
        }
        let l = &self.points.of(track)[Points::parts(e)[1].clone()];
        // L^-T M L^-1: by rows, then by columns, M being symmetric
        for _ in 0..2 {
            block.chunks_mut(e).for_each(|row| backward::<false>(e, l, row));
            transpose(e, block);
        }
        // what takes no step has no inverse
        let mut unit = vec![0.0; e];
        for i in 0..e {
            unit.fill(0.0);
            unit[i] = 1.0;
            forward::<false>(e, l, &mut unit);
            if unit[i] == 0.0 {
                (0..e).for_each(|j| (block[i * e + j], block[j * e + i]) = (0.0, 0.0));
            }
        }
    }

    /// V = U' J of one unit, e x width; 0 for frozen columns.
    fn side(&self, unit: &Unit, e: usize) -> Vec<f64> {
        let family = &self.families[unit.family];
        let (rows, width) = (family.rows, family.width);
        let record = family.records.record(unit.place);
        let first = self.matrix.pattern.offsets[unit.block as usize];
        let mut side = vec![0.0; e * unit.width];
        for i in 0..rows {
            let (u, jacobian) =
                (&record[rows * width + i * e..][..e], &record[i * width + unit.column..][..unit.width]);
            for (p, row) in side.chunks_mut(unit.width).enumerate() {
                row.iter_mut().zip(jacobian).for_each(|(s, j)| *s += u[p] * j);
            }
        }
        if let Some((frozen, _)) = &self.frozen {
            for row in side.chunks_mut(unit.width) {
                row.iter_mut().zip(&frozen[first..]).filter(|(_, f)| **f).for_each(|(s, _)| *s = 0.0);
            }
        }
        side
    }

    /// Rows and columns of what is frozen.
    fn clear_frozen(&self, family: usize, all: &mut [f64]) {
        let Some((kept, own)) = &self.frozen else { return };
        let t = self.layout.sizes[family].tangent;
        let frozen = if self.layout.is_kept(family) { &kept[self.layout.offset[family]..] } else { &own[..] };
        for (block, frozen) in all.chunks_mut(t * t).zip(frozen.chunks(t)) {
            for i in (0..t).filter(|&i| frozen[i]) {
                (0..t).for_each(|j| (block[i * t + j], block[j * t + i]) = (0.0, 0.0));
            }
        }
    }

    fn factor(&self) -> Option<&Cholesky> {
        match &self.solver {
            Reduced::Factor(factor) => Some(factor),
            Reduced::Gradients(..) | Reduced::Soon(..) => None,
        }
    }
}

/// `block += A S B'` with A e x m, S m x n, B e x n.
fn add_product(
    e: usize,
    (a, m): (&[f64], usize),
    s: impl Fn(usize, usize) -> f64,
    (b, n): (&[f64], usize),
    block: &mut [f64],
) {
    for p in 0..e {
        for j in 0..n {
            let sum: f64 = (0..m).map(|i| a[p * m + i] * s(i, j)).sum();
            (0..e).for_each(|q| block[p * e + q] += sum * b[q * n + j]);
        }
    }
}

fn transpose(e: usize, block: &mut [f64]) {
    for i in 0..e {
        for j in 0..i {
            block.swap(i * e + j, j * e + i);
        }
    }
}
