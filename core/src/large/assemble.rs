//! The reduced system: S = J_c' (I - U U') J_c, summed pair by pair.
//!
//! Two items o, m of one eliminated variable add J_o' (δ_om I - U_o U_m') J_m: of rank 2 for an image point, so that
//! neither the blocks E = J_c' J_e nor the camera's own blocks are needed. Each thread owns block rows and goes through
//! the tracks that touch them: no locks, and every block is summed in the order of the tracks for any number of threads.

use pulp::{Simd, WithSimd};

use crate::linear::blocks::BlockPattern;
use crate::tape::{Level, has_fma};

use super::family::Family;
use super::fused::fma;
use super::group::{Group, Unit};
use super::lines::Lines;
use super::pairs::{BLOCK_MASK, LEFT_OUT, Pairs, RowRange, TRANSPOSED, TWICE, triangle};

/// Fills the block rows of a range with the sums over one group.
pub struct Assemble<'a> {
    pub group: &'a Group,
    pub families: &'a [Family],
    pub pairs: &'a Pairs,
    pub pattern: &'a BlockPattern,
    pub range: &'a RowRange,
    /// Tracks that touch the range.
    pub tracks: &'a [u32],
    /// The numbers of the range's blocks, and where they begin in the matrix.
    pub values: &'a mut [f64],
    pub first: usize,
    /// As if nothing were eliminated: J_c' J_c.
    pub whole: bool,
}

impl Assemble<'_> {
    pub fn run(self, tiles: &mut Lines) {
        Level::best().run(Fill { task: self, tiles });
    }
}

struct Fill<'a, 'b> {
    task: Assemble<'a>,
    tiles: &'b mut Lines,
}

impl WithSimd for Fill<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        if has_fma::<S>() { self.task.add::<true>(self.tiles) } else { self.task.add::<false>(self.tiles) }
    }
}

impl Assemble<'_> {
    #[inline(always)]
    fn add<const F: bool>(self, tiles: &mut Lines) {
        match (self.group.uniform(self.families), self.group.eliminated) {
            (Some((2, 9)), 3) => self.uniform::<F, 2, 9, 3>(tiles),
            (Some((2, 6)), 3) => self.uniform::<F, 2, 6, 3>(tiles),
            _ => match self.group.edges(self.families) {
                Some((3, 3)) => self.edges::<F, 3, 3>(),
                Some((6, 6)) => self.edges::<F, 6, 6>(),
                _ => self.general::<F>(),
            },
        }
    }

    /// One family of items of two kept variables of C components each, nothing eliminated: the edges of a graph. In loops
    /// of any length the 5,453 edges of M3500 took as long to assemble as to factor.
    #[inline(always)]
    fn edges<const F: bool, const R: usize, const C: usize>(self) {
        let family = &self.families[self.group.families[0]];
        let [a, b] = [0, 1].map(|k| &family.slots[family.kept[k]]);
        let rows = self.range.rows.start as u32..self.range.rows.end as u32;
        for &t in self.tracks {
            let place = family.track(t as usize).start;
            let blocks = [a, b].map(|slot| slot.first_block as u32 + slot.index[place]);
            let jacobian = &family.records.record(place)[..2 * R * C];
            let targets = &self.pairs.target[self.pairs.base[t as usize]..][..3];
            for (&target, (u, v)) in targets.iter().zip([(0, 0), (1, 0), (1, 1)]) {
                if !rows.contains(&blocks[u].max(blocks[v])) || target & LEFT_OUT != 0 {
                    continue;
                }
                let at = self.pattern.block_start[(target & BLOCK_MASK) as usize] - self.first;
                let block = &mut self.values[at..][..C * C];
                if target & TRANSPOSED == 0 {
                    add_product::<F, R, C>(block, jacobian, u, v);
                }
                if target & (TRANSPOSED | TWICE) != 0 {
                    add_product::<F, R, C>(block, jacobian, v, u);
                }
            }
        }
    }

    /// One family, one kept variable per item: the items of a track are ordered by their block.
    #[inline(always)]
    fn uniform<const F: bool, const R: usize, const C: usize, const E: usize>(self, tiles: &mut Lines) {
        let family = &self.families[self.group.families[0]];
        let slot = &family.slots[family.kept[0]];
        let (at_u, rows) = (family.at_u(), &self.range.rows);
        let first = self.pattern.row_start[rows.start];
        let n_blocks = self.pattern.row_start[rows.end] - first;
        tiles.reset(n_blocks, tile_len::<C>());
        let rows = rows.start as u32..rows.end as u32;
        for &t in self.tracks {
            let places = family.track(t as usize);
            let base = self.pairs.base[t as usize];
            for (k, o) in places.clone().enumerate() {
                let block = slot.first_block as u32 + slot.index[o];
                if !rows.contains(&block) {
                    continue;
                }
                let ro = family.records.record(o);
                let targets = &self.pairs.target[base + triangle(k)..][..k + 1];
                for (m, &target) in places.clone().zip(targets) {
                    if target & LEFT_OUT != 0 || self.whole && o != m {
                        continue;
                    }
                    let rm = family.records.record(m);
                    let mut product = minus_products::<F, R, E>(&ro[at_u..], &rm[at_u..], o == m);
                    if self.whole {
                        product = std::array::from_fn(|i| std::array::from_fn(|j| (i == j) as u8 as f64));
                    }
                    let tile = tiles.record_mut((target & BLOCK_MASK) as usize - first);
                    rank::<F, R, C>(tile, ro, rm, product);
                    if target & TWICE != 0 {
                        rank::<F, R, C>(tile, rm, ro, transposed(product));
                    }
                }
            }
        }
        for (k, block) in self.values.chunks_exact_mut(C * C).enumerate() {
            add_tile::<C>(block, tiles.record(k));
        }
    }

    /// Any families, any number of variables per item.
    #[inline(always)]
    fn general<const F: bool>(self) {
        let (mut units, mut product, mut weighted) = (Vec::new(), Vec::new(), Vec::new());
        let rows = self.range.rows.start as u32..self.range.rows.end as u32;
        for &t in self.tracks {
            self.group.units(self.families, t as usize, &mut units);
            let base = self.pairs.base[t as usize];
            for (k, u) in units.iter().enumerate() {
                for (l, v) in units[..=k].iter().enumerate() {
                    if !rows.contains(&u.block.max(v.block)) {
                        continue;
                    }
                    let (fu, fv) = (&self.families[u.family], &self.families[v.family]);
                    if !self.products::<F>((u, fu), (v, fv), &mut product) {
                        continue; // different items that share no eliminated variable
                    }
                    let target = self.pairs.target[base + triangle(k) + l];
                    if target & LEFT_OUT != 0 {
                        continue;
                    }
                    let at = self.pattern.block_start[(target & BLOCK_MASK) as usize] - self.first;
                    let block = &mut self.values[at..][..u.width * v.width];
                    weigh::<F>((u, fu), (v, fv), &product, &mut weighted);
                    if target & TRANSPOSED == 0 {
                        add_block::<F>(block, (u, fu), v.width, &weighted, false);
                    }
                    if target & (TRANSPOSED | TWICE) != 0 {
                        add_block::<F>(block, (u, fu), v.width, &weighted, true);
                    }
                }
            }
        }
    }

    /// `δ I - U_u U_v'`, row by row. False where it is zero.
    #[inline(always)]
    fn products<const F: bool>(
        &self,
        (u, fu): (&Unit, &Family),
        (v, fv): (&Unit, &Family),
        product: &mut Vec<f64>,
    ) -> bool {
        let same = (u.family, u.place) == (v.family, v.place);
        let (e, used) = (self.group.eliminated, if self.whole { 0 } else { self.group.eliminated });
        let (a, b) = (&fu.records.record(u.place)[fu.at_u()..], &fv.records.record(v.place)[fv.at_u()..]);
        product.clear();
        for i in 0..fu.rows {
            for j in 0..fv.rows {
                let mut sum = if same && i == j { 1.0 } else { 0.0 };
                for k in 0..used {
                    sum = fma::<F>(-a[i * e + k], b[j * e + k], sum);
                }
                product.push(sum);
            }
        }
        same || used > 0
    }
}

/// The product times the rows of v.
#[inline(always)]
fn weigh<const F: bool>(
    (_, fu): (&Unit, &Family),
    (v, fv): (&Unit, &Family),
    product: &[f64],
    weighted: &mut Vec<f64>,
) {
    let jacobian = fv.records.record(v.place);
    weighted.clear();
    weighted.resize(fu.rows * v.width, 0.0);
    for (sum, factors) in weighted.chunks_mut(v.width).zip(product.chunks(fv.rows)) {
        for (j, &factor) in factors.iter().enumerate() {
            let row = &jacobian[j * fv.width + v.column..][..v.width];
            for (s, &x) in sum.iter_mut().zip(row) {
                *s = fma::<F>(factor, x, *s);
            }
        }
    }
}

/// block += J_u' weighted, or its transpose.
#[inline(always)]
fn add_block<const F: bool>(
    block: &mut [f64],
    (u, fu): (&Unit, &Family),
    width: usize,
    weighted: &[f64],
    transpose: bool,
) {
    let jacobian = fu.records.record(u.place);
    for (i, weighted) in weighted.chunks(width).enumerate() {
        let row = &jacobian[i * fu.width + u.column..][..u.width];
        if transpose {
            for (line, &w) in block.chunks_mut(u.width).zip(weighted) {
                for (s, &x) in line.iter_mut().zip(row) {
                    *s = fma::<F>(w, x, *s);
                }
            }
        } else {
            for (line, &x) in block.chunks_mut(width).zip(row) {
                for (s, &w) in line.iter_mut().zip(weighted) {
                    *s = fma::<F>(x, w, *s);
                }
            }
        }
    }
}

/// block += J_u' J_v, where J_u and J_v stand side by side.
#[inline(always)]
fn add_product<const F: bool, const R: usize, const C: usize>(
    block: &mut [f64],
    jacobian: &[f64],
    u: usize,
    v: usize,
) {
    for a in 0..C {
        let mut row = [0.0; C];
        for i in 0..R {
            let x = jacobian[2 * C * i + C * u + a];
            for c in 0..C {
                row[c] = fma::<F>(x, jacobian[2 * C * i + C * v + c], row[c]);
            }
        }
        for c in 0..C {
            block[a * C + c] += row[c];
        }
    }
}

#[inline(always)]
fn minus_products<const F: bool, const R: usize, const E: usize>(
    a: &[f64],
    b: &[f64],
    same: bool,
) -> [[f64; R]; R] {
    let (a, b) = (&a[..R * E], &b[..R * E]);
    let mut product = [[0.0; R]; R];
    for i in 0..R {
        for j in 0..R {
            let mut sum = if same && i == j { 1.0 } else { 0.0 };
            for k in 0..E {
                sum = fma::<F>(-a[i * E + k], b[j * E + k], sum);
            }
            product[i][j] = sum;
        }
    }
    product
}

fn transposed<const R: usize>(m: [[f64; R]; R]) -> [[f64; R]; R] {
    std::array::from_fn(|i| std::array::from_fn(|j| m[j][i]))
}

/// A block of C x C numbers, C at most 9, while it is summed: rows of eight numbers on cache lines, a ninth column after
/// them and the corner last. As 9 x 9 numbers row after row a pair took 19 ns, so it takes 12.
const fn tile_len<const C: usize>() -> usize {
    if C > 8 { 8 * C + 16 } else { 8 * C }
}

/// The first eight numbers of a row, filled up with zeros.
#[inline(always)]
fn eight<const C: usize>(row: &[f64]) -> [f64; 8] {
    let mut eight = [0.0; 8];
    let n = if C < 8 { C } else { 8 };
    eight[..n].copy_from_slice(&row[..n]);
    eight
}

/// tile += J_o' M J_m, of rank R.
#[inline(always)]
fn rank<const F: bool, const R: usize, const C: usize>(
    tile: &mut [f64],
    jo: &[f64],
    jm: &[f64],
    m: [[f64; R]; R],
) {
    let (jo, jm, tile) = (&jo[..R * C], &jm[..R * C], &mut tile[..tile_len::<C>()]);
    let (mut weighted, mut ninth) = ([[0.0; 8]; R], [0.0; R]);
    for j in 0..R {
        let row = eight::<C>(&jm[j * C..]);
        for i in 0..R {
            for c in 0..8 {
                weighted[i][c] = fma::<F>(m[i][j], row[c], weighted[i][c]);
            }
            if C > 8 {
                ninth[i] = fma::<F>(m[i][j], jm[j * C + 8], ninth[i]);
            }
        }
    }
    for a in 0..C {
        let row = &mut tile[8 * a..][..8];
        for i in 0..R {
            let x = jo[i * C + a];
            for c in 0..8 {
                row[c] = fma::<F>(x, weighted[i][c], row[c]);
            }
        }
    }
    if C > 8 {
        let (column, corner) = tile[8 * C..].split_at_mut(8);
        for i in 0..R {
            let row = eight::<C>(&jo[i * C..]);
            for a in 0..8 {
                column[a] = fma::<F>(row[a], ninth[i], column[a]);
            }
            corner[0] = fma::<F>(jo[i * C + 8], ninth[i], corner[0]);
        }
    }
}

#[inline(always)]
fn add_tile<const C: usize>(block: &mut [f64], tile: &[f64]) {
    for a in 0..C {
        for c in 0..C {
            block[a * C + c] += tile[if c < 8 { 8 * a + c } else { 8 * C + a }];
        }
    }
}
