//! The numbers of the factor. Each node takes what the nodes before it give, tile by tile, and is then factorized as
//! a dense matrix. The operations and their order are the same for any number of threads.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use super::front::{self, Desk, Run, SPEED};
use super::small::{self, Columns};
use super::symbolic::{Entry, Node, Symbolic, Tile, Update};
use crate::linear::blocks::BlockMatrix;
use crate::tape::Level;
use crate::threads::{n_threads, share};

/// A pivot that keeps less than this of its diagonal entry is rounding error.
const LOST: f64 = 1e-15;

/// Nodes of at most so many columns, and products with so many, go by `small`.
const SMALL: usize = 32;

/// What a thread works with that factorizes subtrees.
#[derive(Default)]
pub(super) struct Worker {
    /// Where each block is among the scalar rows of the node at hand.
    place: Vec<u32>,
    desks: Vec<Desk>,
    failed: Option<usize>,
}

/// Fills `values` with the factor of the matrix. Otherwise the first scalar row, in elimination order, whose pivot was
/// found not positive.
pub(super) fn factorize(
    s: &Symbolic,
    matrix: &BlockMatrix,
    values: &mut [f64],
    workers: &mut Vec<Worker>,
    threads: usize,
) -> Result<(), usize> {
    let threads = n_threads(threads, usize::MAX, s.flops / SPEED);
    workers.resize_with(workers.len().max(threads), Worker::default);
    for worker in workers.iter_mut() {
        worker.place.resize(s.order.len(), 0);
        worker.failed = None;
    }
    let mut trees = subtrees(s, values);
    trees.sort_by_key(|(_, values)| std::cmp::Reverse(values.len()));
    share(threads, workers, trees.into_iter(), |_, (nodes, values), worker| {
        let start = s.nodes[nodes.start].start;
        let failed = nodes.clone().find_map(|n| one(s, n, matrix, values, start, worker, 1).err());
        worker.failed = [worker.failed, failed].into_iter().flatten().min();
    });
    match workers.iter().filter_map(|w| w.failed).min() {
        Some(first) => Err(first),
        None => s.top.iter().try_for_each(|&n| one(s, n, matrix, values, 0, &mut workers[0], threads)),
    }
}

/// The numbers of each subtree.
fn subtrees<'a>(s: &'a Symbolic, values: &'a mut [f64]) -> Vec<(&'a Range<usize>, &'a mut [f64])> {
    let (mut rest, mut at) = (values, 0);
    let mut own = |nodes: &Range<usize>| {
        let (start, end) = (s.nodes[nodes.start].start, s.nodes[nodes.end - 1].end());
        let (before, after) = std::mem::take(&mut rest).split_at_mut(end - at);
        let skipped = start - at;
        (rest, at) = (after, end);
        &mut before[skipped..]
    };
    s.subtrees.iter().map(|nodes| (nodes, own(nodes))).collect()
}

/// Factorizes node n; `values` are those of the nodes from the one at `start` on.
fn one(
    s: &Symbolic,
    n: usize,
    matrix: &BlockMatrix,
    values: &mut [f64],
    start: usize,
    worker: &mut Worker,
    threads: usize,
) -> Result<(), usize> {
    let node = &s.nodes[n];
    let (done, own) = values.split_at_mut(node.start - start);
    let own = &mut own[..node.width * node.height];
    s.note_places(n, &mut worker.place);
    let into = Into { s, node, place: &worker.place, matrix, done, start };
    let mut rest = &mut own[..];
    let tiles = s.tiles[node.tiles.clone()].iter().map(|tile| {
        let (columns, after) = std::mem::take(&mut rest).split_at_mut(tile.span.len() * node.height);
        rest = after;
        (tile, columns)
    });
    let filling = if threads > 1 { n_threads(threads, node.tiles.len(), taken(s, node) / SPEED) } else { 1 };
    share(filling, &mut worker.desks, tiles, |_, (tile, columns), desk| into.fill(tile, columns, desk));
    let first = s.offsets[node.columns.start];
    let factored = match node.width <= SMALL {
        true => small::factorize(Level::best(), own, node.height, node.width),
        false => front::factorize(own, node.height, node.width, &mut worker.desks, threads),
    };
    factored.map_err(|at| first + at)?;
    node.columns.clone().try_for_each(|k| {
        let (size, at) = (s.size_of(k), s.offsets[k] - first);
        let diagonal = matrix.block(matrix.pattern.diagonal(s.order[k]));
        let kept = |r: &usize| own[(at + r) * (node.height + 1)].powi(2) > LOST * diagonal[r * (size + 1)];
        (0..size).find(|r| !kept(r)).map_or(Ok(()), |r| Err(s.offsets[k] + r))
    })
}

/// Multiplications of the products that a node takes.
fn taken(s: &Symbolic, node: &Node) -> f64 {
    let product = |u: &Update| {
        let from = &s.nodes[u.node as usize];
        (from.width * (from.height - u.row as usize)) as f64 * f64::from(u.columns)
    };
    s.tiles[node.tiles.clone()].iter().flat_map(|t| &s.updates[t.updates.clone()]).map(product).sum()
}

/// The node that is being filled.
struct Into<'a> {
    s: &'a Symbolic,
    node: &'a Node,
    place: &'a [u32],
    matrix: &'a BlockMatrix,
    /// Numbers of the nodes before it, from the one at `start` on.
    done: &'a [f64],
    start: usize,
}

impl Into<'_> {
    /// A tile: the blocks of the matrix less the products of what is known.
    fn fill(&self, tile: &Tile, columns: &mut [f64], desk: &mut Desk) {
        columns.fill(0.0);
        self.s.entries[tile.entries.clone()].iter().for_each(|entry| self.put(entry, tile, columns));
        for update in &self.s.updates[tile.updates.clone()] {
            self.subtract(update, tile, columns, desk);
        }
    }

    fn put(&self, entry: &Entry, tile: &Tile, columns: &mut [f64]) {
        let (block, height) = (self.matrix.block(entry.block as usize), self.node.height);
        let first = (entry.column as usize - tile.span.start) * height + entry.row as usize;
        let width = entry.length as usize;
        for (r, row) in block.chunks_exact(width).enumerate() {
            if entry.transposed {
                columns[first + r * height..][..width].copy_from_slice(row);
            } else {
                row.iter().enumerate().for_each(|(c, v)| columns[first + c * height + r] = *v);
            }
        }
    }

    fn subtract(&self, update: &Update, tile: &Tile, columns: &mut [f64], desk: &mut Desk) {
        let Node { start, width, height, ref rows, .. } = self.s.nodes[update.node as usize];
        let (row, m) = (update.row as usize, update.columns as usize);
        let node = &self.done[start - self.start..][..width * height];
        let below = MatRef::from_column_major_slice(node, height, width).get(row.., ..);
        let beside = below.get(..m, ..).transpose();
        let (is_small, small_node) = (width <= SMALL && m <= SMALL, Columns { numbers: node, height, width });
        self.find_runs(&self.s.rows[rows.start + update.first as usize..rows.end], &mut desk.runs);
        if let [run] = desk.runs[..] {
            let to = (run.to - tile.span.start) * self.node.height + run.to;
            if is_small {
                return small::subtract(
                    Level::best(),
                    small_node,
                    row,
                    m,
                    &mut columns[to..],
                    self.node.height,
                );
            }
            let into = MatMut::from_column_major_slice_mut(columns, self.node.height, tile.span.len());
            let into = into.get_mut(run.to..run.to + run.length, run.to - tile.span.start..).get_mut(.., ..m);
            return matmul(into, Accum::Add, below, beside, -1.0, Par::Seq);
        }
        let size = m * (height - row);
        desk.product.resize(desk.product.len().max(size), 0.0);
        let product = &mut desk.product[..size];
        if is_small {
            product.fill(0.0);
            small::subtract(Level::best(), small_node, row, m, product, height - row);
        } else {
            let into = MatMut::from_column_major_slice_mut(product, height - row, m);
            matmul(into, Accum::Replace, below, beside, -1.0, Par::Seq);
        }
        spread(product, m, &desk.runs, columns, self.node.height, tile.span.start);
    }

    /// Where the rows of these blocks go.
    fn find_runs(&self, blocks: &[u32], runs: &mut Vec<Run>) {
        runs.clear();
        let mut from = 0;
        for &k in blocks {
            let (to, length) = (self.place[k as usize] as usize, self.s.size_of(k as usize));
            match runs.last_mut() {
                Some(run) if run.to + run.length == to => run.length += length,
                _ => runs.push(Run { from, to, length }),
            }
            from += length;
        }
    }
}

/// Adds the lower triangle of a product with m columns to the columns of a tile, whose first is `origin`.
fn spread(product: &[f64], m: usize, runs: &[Run], columns: &mut [f64], height: usize, origin: usize) {
    let rows = product.len() / m;
    for (k, run) in runs.iter().enumerate().take_while(|(_, run)| run.from < m) {
        for c in 0..run.length.min(m - run.from) {
            let from = &product[(run.from + c) * rows..][..rows];
            let into = &mut columns[(run.to + c - origin) * height..][..height];
            for run in &runs[k..] {
                let target = &mut into[run.to..run.to + run.length];
                add(target, &from[run.from..run.from + run.length]);
            }
        }
    }
}

/// t += p. Poses and cameras have 3, 6 or 9 numbers: lengths that are known take no loop.
#[inline(always)]
fn add(t: &mut [f64], p: &[f64]) {
    fn known<const N: usize>(t: &mut [f64], p: &[f64]) {
        for (t, p) in t.as_chunks_mut::<N>().0.iter_mut().zip(p.as_chunks::<N>().0) {
            (0..N).for_each(|i| t[i] += p[i]);
        }
    }
    match t.len() {
        3 => known::<3>(t, p),
        6 => known::<6>(t, p),
        9 => known::<9>(t, p),
        n if n % 6 == 0 => known::<6>(t, p),
        _ => t.iter_mut().zip(p).for_each(|(t, p)| *t += p),
    }
}
