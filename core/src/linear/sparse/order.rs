//! The graph of a block matrix, an elimination order that keeps its factor sparse, the tree of that order, and which of its
//! columns make a node.

use std::ops::Range;

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::sparse::SymbolicSparseColMatRef;
use faer::sparse::linalg::amd;

use crate::linear::blocks::BlockPattern;

/// No parent: a root of the elimination tree.
pub(super) const NONE: u32 = u32::MAX;

/// Which block rows are joined, both ways, and by which stored block.
pub(super) struct Graph {
    pub start: Vec<usize>,
    pub neighbors: Vec<u32>,
    pub blocks: Vec<u32>,
}

impl Graph {
    pub fn new(p: &BlockPattern) -> Self {
        let n = p.n_blocks();
        let mut start = vec![0; n + 1];
        let edges =
            || (0..n).flat_map(|i| p.row(i).map(move |k| (i, k))).map(|(i, k)| (i, p.columns[k] as usize, k));
        for (i, j, _) in edges().filter(|(i, j, _)| i != j) {
            start[i + 1] += 1;
            start[j + 1] += 1;
        }
        (0..n).for_each(|i| start[i + 1] += start[i]);
        let mut next = start.clone();
        let (mut neighbors, mut blocks) = (vec![0; start[n]], vec![0; start[n]]);
        for (i, j, k) in edges().filter(|(i, j, _)| i != j) {
            for (from, to) in [(i, j), (j, i)] {
                (neighbors[next[from]], blocks[next[from]]) = (to as u32, k as u32);
                next[from] += 1;
            }
        }
        Self { start, neighbors, blocks }
    }

    pub fn n(&self) -> usize {
        self.start.len() - 1
    }

    /// The neighbors of a block row.
    pub fn of(&self, i: usize) -> &[u32] {
        &self.neighbors[self.start[i]..self.start[i + 1]]
    }
}

/// Approximate minimum degree (Amestoy, Davis & Duff 1996): the block row that is eliminated first, second, ...
pub(super) fn minimum_degree(p: &BlockPattern) -> Vec<usize> {
    let n = p.n_blocks();
    let (mut order, mut inverse) = (vec![0u32; n], vec![0u32; n]);
    let start: Vec<u32> = p.row_start.iter().map(|&k| k as u32).collect();
    // The rows of the lower triangle are the columns of the upper one, and one of them is enough.
    let pattern = SymbolicSparseColMatRef::new_checked(n, n, &start, None, &p.columns);
    let mut memory = MemBuffer::new(amd::order_scratch::<u32>(n, p.columns.len()));
    match amd::order(&mut order, &mut inverse, pattern, Default::default(), MemStack::new(&mut memory)) {
        Ok(_) => order.into_iter().map(|k| k as usize).collect(),
        Err(_) => (0..n).collect(), // too large for the ordering's indices: any order is right
    }
}

/// The inverse of a permutation.
pub(super) fn inverse(order: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; order.len()];
    order.iter().enumerate().for_each(|(new, &old)| inverse[old] = new);
    inverse
}

/// The elimination tree of an order: the parent of a block column is the first row below its diagonal in the factor
/// (Liu 1990).
pub(super) fn tree(graph: &Graph, order: &[usize], new: &[usize]) -> Vec<u32> {
    let n = graph.n();
    let (mut parent, mut ancestor) = (vec![NONE; n], vec![NONE; n]);
    for k in 0..n {
        for &neighbor in graph.of(order[k]) {
            let mut i = new[neighbor as usize];
            while i < k {
                let next = std::mem::replace(&mut ancestor[i], k as u32);
                if next == NONE {
                    parent[i] = k as u32;
                }
                i = next as usize; // a root ends the loop: NONE is beyond every k
            }
        }
    }
    parent
}

/// For each column of the factor, its block rows and its scalar rows, the diagonal block included.
pub(super) fn heights(
    graph: &Graph,
    order: &[usize],
    new: &[usize],
    parent: &[u32],
    sizes: &[u32],
) -> Vec<(u32, usize)> {
    let size = |k: usize| sizes[order[k]] as usize;
    let mut heights: Vec<(u32, usize)> = (0..graph.n()).map(|k| (1, size(k))).collect();
    let mut seen = vec![NONE; graph.n()];
    for k in 0..graph.n() {
        seen[k] = k as u32;
        for &neighbor in graph.of(order[k]) {
            let mut i = new[neighbor as usize];
            while i < k && seen[i] != k as u32 {
                seen[i] = k as u32;
                heights[i].0 += 1;
                heights[i].1 += size(k);
                i = parent[i] as usize;
            }
        }
    }
    heights
}

/// The nodes of a forest, children before parents and subtrees together; among siblings the heaviest comes last.
pub(super) fn postorder(parent: &[u32], weight: impl Fn(usize) -> usize) -> Vec<usize> {
    let n = parent.len();
    // Roots are the children of a node n. Siblings are a list from the first on.
    let (mut first, mut next, mut heaviest) = (vec![NONE; n + 1], vec![NONE; n], vec![NONE; n + 1]);
    for k in (0..n).rev() {
        let above = if parent[k] == NONE { n } else { parent[k] as usize };
        let rival = heaviest[above];
        let mut put = |k: u32| next[k as usize] = std::mem::replace(&mut first[above], k);
        if rival != NONE && weight(rival as usize) >= weight(k) {
            put(k as u32);
        } else {
            heaviest[above] = k as u32;
            if rival != NONE {
                put(rival);
            }
        }
    }
    let mut post = Vec::with_capacity(n);
    let mut at = vec![n as u32];
    while let Some(&k) = at.last() {
        let k = k as usize;
        let child = match first[k] {
            NONE => std::mem::replace(&mut heaviest[k], NONE),
            child => std::mem::replace(&mut first[k], next[child as usize]),
        };
        if child != NONE {
            at.push(child);
            continue;
        }
        at.pop();
        post.push(k);
    }
    post.pop();
    post
}

/// Runs of columns that have the same rows below.
pub(super) fn same_rows(parent: &[u32], heights: &[(u32, usize)]) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for k in 0..parent.len() {
        match groups.last_mut() {
            Some(last) if parent[k - 1] == k as u32 && heights[k - 1].0 == heights[k].0 + 1 => last.end += 1,
            _ => groups.push(k..k + 1),
        }
    }
    groups
}

/// Joins a node with the parent that follows it where the zeros that are then computed with are few (Ashcraft & Grimes
/// 1989): products of a few columns cost more than the zeros do.
pub(super) fn merged(
    groups: Vec<Range<usize>>,
    parent: &[u32],
    heights: &[(u32, usize)],
    widths: &[usize],
) -> Vec<Range<usize>> {
    let mut joined: Vec<(Range<usize>, usize, usize, f64)> = Vec::new(); // blocks, width, height, zeros
    for group in groups.into_iter().rev() {
        let width: usize = widths[group.clone()].iter().sum();
        let height = heights[group.start].1;
        if let Some((blocks, above, tall, zeros)) = joined.last_mut()
            && parent[group.end - 1] as usize == blocks.start
        {
            let all = (width + *above) as f64;
            let more = *zeros + (width * (width + *tall - height)) as f64;
            let share = more / (all * (all + 1.0) / 2.0 + all * (*tall - *above) as f64);
            if all <= 4.0 || share < 0.05 || (share < 0.1 && all <= 48.0) || (share < 0.8 && all <= 16.0) {
                blocks.start = group.start;
                *tall += width;
                *above += width;
                *zeros = more;
                continue;
            }
        }
        joined.push((group, width, height, 0.0));
    }
    joined.into_iter().rev().map(|(blocks, ..)| blocks).collect()
}
