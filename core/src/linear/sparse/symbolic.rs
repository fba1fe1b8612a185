//! Where the numbers of the factor will be: block columns with the same rows below form a node, whose numbers are
//! one column-major matrix. Nodes are numbered so that every subtree of the elimination tree is a run of nodes.

use std::ops::Range;

use super::order::{self, Graph, NONE};
use crate::linear::blocks::{BlockPattern, running};

/// Block columns are updated in tiles of about so many columns: what is computed at once, whoever computes it.
const TILE: usize = 96;

/// Block columns of the factor with the same rows below them.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The block columns, in elimination order.
    pub columns: Range<usize>,
    /// Where its block rows below the diagonal blocks are, in `Symbolic::rows`.
    pub rows: Range<usize>,
    /// Scalar columns.
    pub width: usize,
    /// Scalar rows, those of the diagonal blocks included.
    pub height: usize,
    /// Where its numbers start.
    pub start: usize,
    /// Its tiles, in `Symbolic::tiles`.
    pub tiles: Range<usize>,
    pub parent: u32,
}

/// Some block columns of a node, what is added into them, and where.
#[derive(Clone, Debug, Default)]
pub(super) struct Tile {
    pub columns: Range<usize>,
    /// Scalar columns, counted from the first of the node.
    pub span: Range<usize>,
    /// In `Symbolic::updates` and `Symbolic::entries`.
    pub updates: Range<usize>,
    pub entries: Range<usize>,
}

/// What a node before takes from a tile: its rows from some block on, times those of them that are the tile's columns.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Update {
    pub node: u32,
    /// Its first block below the diagonal blocks, and the scalar row where that starts.
    pub first: u32,
    pub row: u32,
    /// Scalar columns of the tile.
    pub columns: u32,
}

/// A stored block of the matrix and where in the node it goes; transposed where its order is turned round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub block: u32,
    pub row: u32,
    pub column: u32,
    pub transposed: bool,
    /// Numbers in a row of the stored block.
    pub length: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Symbolic {
    /// The block row that is eliminated first, second, ...
    pub order: Vec<usize>,
    /// Scalar starts of the block rows in elimination order, and the dimension.
    pub offsets: Vec<usize>,
    pub nodes: Vec<Node>,
    /// The node of each block column.
    pub node_of: Vec<u32>,
    pub rows: Vec<u32>,
    pub tiles: Vec<Tile>,
    pub updates: Vec<Update>,
    pub entries: Vec<Entry>,
    /// Numbers of the factor, zeros within the nodes included.
    pub size: usize,
    /// Multiplications (and as many additions) of a factorization.
    pub flops: f64,
    /// Subtrees that can be factorized side by side, as runs of nodes, and the nodes above them.
    pub subtrees: Vec<Range<usize>>,
    pub top: Vec<usize>,
}

impl Node {
    /// Where its numbers end.
    pub fn end(&self) -> usize {
        self.start + self.width * self.height
    }
}

impl Symbolic {
    /// Ordered by minimum degree.
    pub fn sparse(p: &BlockPattern) -> Self {
        let graph = Graph::new(p);
        let order = order::minimum_degree(p);
        let new = order::inverse(&order);
        let parent = order::tree(&graph, &order, &new);
        let heights = order::heights(&graph, &order, &new, &parent, &p.sizes);
        let post = order::postorder(&parent, |k| heights[k].1);
        let place = order::inverse(&post);
        let parent: Vec<u32> = post
            .iter()
            .map(|&k| if parent[k] == NONE { NONE } else { place[parent[k] as usize] as u32 })
            .collect();
        let heights: Vec<(u32, usize)> = post.iter().map(|&k| heights[k]).collect();
        let order: Vec<usize> = post.iter().map(|&k| order[k]).collect();
        let widths: Vec<usize> = order.iter().map(|&i| p.sizes[i] as usize).collect();
        let groups = order::merged(order::same_rows(&parent, &heights), &parent, &heights, &widths);
        Self::new(p, &graph, order, groups)
    }

    /// All in one node, in the order it has.
    pub fn dense(p: &BlockPattern) -> Self {
        let n = p.n_blocks();
        let groups = std::iter::once(0..n).filter(|all| !all.is_empty()).collect();
        Self::new(p, &Graph::new(p), (0..n).collect(), groups)
    }

    fn new(p: &BlockPattern, graph: &Graph, order: Vec<usize>, groups: Vec<Range<usize>>) -> Self {
        let new = order::inverse(&order);
        let offsets = running(order.iter().map(|&i| p.sizes[i] as usize));
        let (mut nodes, rows, node_of) = structure(graph, &order, &new, &offsets, groups);
        let mut tiles = Vec::new();
        for node in &mut nodes {
            let start = tiles.len();
            tiles.extend(cut(node, &offsets));
            node.tiles = start..tiles.len();
        }
        let size = nodes.last().map_or(0, Node::end);
        let mut s = Self {
            order,
            offsets,
            nodes,
            node_of,
            rows,
            tiles,
            updates: vec![],
            entries: Vec::with_capacity(p.columns.len()),
            size,
            flops: 0.0,
            subtrees: vec![],
            top: vec![],
        };
        s.list_entries(p, graph, &new);
        s.list_updates();
        s.divide();
        s
    }

    /// Scalar rows.
    pub fn dimension(&self) -> usize {
        self.offsets[self.order.len()]
    }

    /// What a factorization takes, in nanoseconds, roughly.
    pub fn time(&self) -> f64 {
        self.flops / 20.0 + 150.0 * (self.nodes.len() + self.updates.len()) as f64
    }

    /// The same of a dense matrix.
    pub fn dense_time(n: usize) -> f64 {
        (n as f64).powi(3) / 6.0 / 25.0 + 150.0
    }

    /// The block rows below node s.
    pub fn below(&self, s: usize) -> &[u32] {
        &self.rows[self.nodes[s].rows.clone()]
    }

    /// Scalar rows of block k of the elimination order.
    pub fn size_of(&self, k: usize) -> usize {
        self.offsets[k + 1] - self.offsets[k]
    }

    /// Notes where each block of node s is among its scalar rows.
    pub fn note_places(&self, s: usize, place: &mut [u32]) {
        let node = &self.nodes[s];
        let mut at = 0;
        for k in node.columns.clone().chain(self.below(s).iter().map(|&k| k as usize)) {
            place[k] = at as u32;
            at += self.size_of(k);
        }
    }

    /// Where these blocks, ascending, are among the scalar rows of node s; they are all there.
    pub fn places<'a>(&'a self, s: usize, blocks: &'a [u32]) -> impl Iterator<Item = usize> + 'a {
        let (columns, mut below) = (&self.nodes[s].columns, self.below(s).iter());
        let (origin, mut at) = (self.offsets[columns.start], self.nodes[s].width);
        blocks.iter().map(move |&k| {
            if (k as usize) < columns.end {
                return self.offsets[k as usize] - origin;
            }
            at += below.by_ref().take_while(|&&b| b != k).map(|&b| self.size_of(b as usize)).sum::<usize>();
            let place = at;
            at += self.size_of(k as usize);
            place
        })
    }

    /// The scalar row of block row a in the node of block column b <= a, where the factor has that block.
    pub fn find(&self, a: usize, b: usize) -> Option<usize> {
        let s = self.node_of[b] as usize;
        let known = a < self.nodes[s].columns.end || self.below(s).binary_search(&(a as u32)).is_ok();
        known.then(|| self.places(s, &[a as u32]).next()).flatten()
    }

    /// Which tile each block column is in.
    fn tile_of(&self) -> Vec<usize> {
        let mut of = vec![0; self.order.len()];
        for (t, tile) in self.tiles.iter().enumerate() {
            of[tile.columns.clone()].fill(t);
        }
        of
    }

    fn list_entries(&mut self, p: &BlockPattern, graph: &Graph, new: &[usize]) {
        let mut place = vec![0; self.order.len()];
        for s in 0..self.nodes.len() {
            self.note_places(s, &mut place);
            for t in self.nodes[s].tiles.clone() {
                let (begin, entries) = (self.entries.len(), &mut self.entries);
                for k in self.tiles[t].columns.clone() {
                    let (i, column) = (self.order[k], place[k]);
                    let mut add = |block: u32, row, transposed| {
                        let length = p.sizes[p.columns[block as usize] as usize];
                        entries.push(Entry { block, row, column, transposed, length });
                    };
                    add(p.diagonal(i) as u32, column, false);
                    for (&j, &block) in graph.of(i).iter().zip(&graph.blocks[graph.start[i]..]) {
                        let at = new[j as usize];
                        if at > k {
                            add(block, place[at], (j as usize) < i);
                        }
                    }
                }
                self.tiles[t].entries = begin..self.entries.len();
            }
        }
    }

    /// The updates of each tile, by the nodes that they come from.
    fn list_updates(&mut self) {
        let of = self.tile_of();
        let mut found: Vec<(usize, Update)> = Vec::with_capacity(2 * self.nodes.len());
        for s in 0..self.nodes.len() {
            let (mut row, before) = (self.nodes[s].width as u32, found.len());
            for (first, &k) in self.below(s).iter().enumerate() {
                let (tile, columns) = (of[k as usize], self.size_of(k as usize) as u32);
                match found[before..].last_mut() {
                    Some((last, update)) if *last == tile => update.columns += columns,
                    _ => found.push((tile, Update { node: s as u32, first: first as u32, row, columns })),
                }
                row += columns;
            }
        }
        let mut counts = vec![0; self.tiles.len()];
        found.iter().for_each(|(tile, _)| counts[*tile] += 1);
        let starts = running(counts.into_iter());
        for (t, tile) in self.tiles.iter_mut().enumerate() {
            tile.updates = starts[t]..starts[t + 1];
        }
        let mut next = starts;
        self.updates = vec![Update::default(); found.len()];
        for (tile, update) in found {
            self.updates[next[tile]] = update;
            next[tile] += 1;
        }
    }

    /// Subtrees of at most a sixteenth of the work each; what is above them is the top.
    fn divide(&mut self) {
        let n = self.nodes.len();
        let mut work: Vec<f64> = self.nodes.iter().map(operations).collect();
        self.flops = work.iter().sum();
        let mut first: Vec<usize> = (0..n).collect();
        for s in 0..n {
            if let Some(p) = self.parent(s) {
                work[p] += work[s];
                first[p] = first[p].min(first[s]);
            }
        }
        // a node above which all is top belongs to the top, or else its subtree is a task
        let mut is_top = vec![false; n];
        for s in (0..n).rev() {
            let under_top = self.parent(s).is_none_or(|p| is_top[p]);
            is_top[s] = under_top && work[s] > self.flops / 16.0;
            if under_top && !is_top[s] {
                self.subtrees.push(first[s]..s + 1);
            }
        }
        self.subtrees.reverse();
        self.top = (0..n).filter(|&s| is_top[s]).collect();
    }

    fn parent(&self, s: usize) -> Option<usize> {
        Some(self.nodes[s].parent).filter(|&p| p != NONE).map(|p| p as usize)
    }
}

/// Multiplications that a node costs: its own columns, and the products with its rows that its ancestors subtract.
fn operations(node: &Node) -> f64 {
    let (w, m) = (node.width as f64, (node.height - node.width) as f64);
    w * w * w / 6.0 + w * w * m / 2.0 + w * m * m / 2.0
}

/// The nodes, all their block rows, and the node of each block column.
fn structure(
    graph: &Graph,
    order: &[usize],
    new: &[usize],
    offsets: &[usize],
    groups: Vec<Range<usize>>,
) -> (Vec<Node>, Vec<u32>, Vec<u32>) {
    let mut node_of = vec![0; order.len()];
    for (s, group) in groups.iter().enumerate() {
        node_of[group.clone()].fill(s as u32);
    }
    let (mut nodes, mut rows): (Vec<Node>, Vec<u32>) = (Vec::new(), Vec::new());
    // Children are a list, from the last found on.
    let (mut last, mut before) = (vec![NONE; groups.len()], vec![NONE; groups.len()]);
    let (mut seen, mut own) = (vec![usize::MAX; order.len()], Vec::new());
    let mut start = 0;
    for (s, columns) in groups.into_iter().enumerate() {
        let begin = rows.len();
        own.clear();
        let mut add = |k: usize| {
            if k >= columns.end && seen[k] != s {
                seen[k] = s;
                own.push(k as u32);
            }
        };
        columns.clone().flat_map(|k| graph.of(order[k])).for_each(|&j| add(new[j as usize]));
        let mut child = last[s];
        while child != NONE {
            rows[nodes[child as usize].rows.clone()].iter().for_each(|&k| add(k as usize));
            child = before[child as usize];
        }
        own.sort_unstable();
        let width = offsets[columns.end] - offsets[columns.start];
        let below: usize = own.iter().map(|&k| offsets[k as usize + 1] - offsets[k as usize]).sum();
        let parent = own.first().map_or(NONE, |&k| node_of[k as usize]);
        if parent != NONE {
            before[s] = std::mem::replace(&mut last[parent as usize], s as u32);
        }
        rows.extend(&own);
        let height = width + below;
        nodes.push(Node { columns, rows: begin..rows.len(), width, height, start, tiles: 0..0, parent });
        start += width * height;
    }
    (nodes, rows, node_of)
}

/// The tiles of a node: whole block columns, at least `TILE` scalar columns each but for the last.
fn cut(node: &Node, offsets: &[usize]) -> Vec<Tile> {
    let origin = offsets[node.columns.start];
    let mut tiles: Vec<Tile> = Vec::new();
    for k in node.columns.clone() {
        let (from, to) = (offsets[k] - origin, offsets[k + 1] - origin);
        match tiles.last_mut() {
            Some(tile) if tile.span.len() < TILE => (tile.columns.end, tile.span.end) = (k + 1, to),
            _ => tiles.push(Tile { columns: k..k + 1, span: from..to, ..Tile::default() }),
        }
    }
    tiles
}
