//! Blocks of the inverse. Those inside the pattern of the factor come from the factor's last node backward (Takahashi,
//! Fagan & Chen 1973), through the ancestors of what is wanted only; others from solutions with unit columns.

use std::collections::BTreeMap;

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Accum, Mat, MatRef, Par};

use super::order::{self, NONE};
use super::solve;
use super::symbolic::Symbolic;

/// The blocks (i, j) of the inverse, row-major; `offsets` are those of the matrix.
pub(super) fn blocks(
    s: &Symbolic,
    values: &[f64],
    wanted: &[(u32, u32)],
    offsets: &[usize],
) -> Vec<Vec<f64>> {
    let new = order::inverse(&s.order);
    let place = |(i, j): (u32, u32)| (new[i as usize], new[j as usize]);
    let inside = |(a, b): (usize, usize)| s.find(a.max(b), a.min(b)).is_some();
    let mut needed = vec![false; s.nodes.len()];
    for (a, b) in wanted.iter().map(|&w| place(w)).filter(|&p| inside(p)) {
        let mut n = s.node_of[a.min(b)];
        while n != NONE && !std::mem::replace(&mut needed[n as usize], true) {
            n = s.nodes[n as usize].parent;
        }
    }
    let known = Known::new(s, values, &needed);
    let mut columns: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    let mut block = |&(i, j): &(u32, u32)| {
        let (a, b) = place((i, j));
        if inside((a, b)) {
            return known.block(a, b);
        }
        let (rows, of) =
            (offsets[i as usize]..offsets[i as usize + 1], offsets[j as usize]..offsets[j as usize + 1]);
        let x = columns.entry(j).or_insert_with(|| unit_columns(s, values, of.start, of.len(), offsets));
        rows.flat_map(|r| (0..of.len()).map(move |c| (r, c))).map(|(r, c)| x[c * s.dimension() + r]).collect()
    };
    wanted.iter().map(&mut block).collect()
}

/// Columns of the inverse.
fn unit_columns(s: &Symbolic, values: &[f64], first: usize, width: usize, offsets: &[usize]) -> Vec<f64> {
    let n = s.dimension();
    let mut x = vec![0.0; n * width];
    (0..width).for_each(|c| x[c * n + first + c] = 1.0);
    solve::solve(s, values, &mut x, width, offsets);
    x
}

/// The inverse within the pattern of some nodes and all their ancestors.
struct Known<'a> {
    s: &'a Symbolic,
    nodes: Vec<Mat<f64>>,
}

impl<'a> Known<'a> {
    fn new(s: &'a Symbolic, values: &[f64], needed: &[bool]) -> Self {
        let mut known = Self { s, nodes: needed.iter().map(|_| Mat::new()).collect() };
        for n in (0..s.nodes.len()).rev().filter(|&n| needed[n]) {
            known.nodes[n] = known.node(n, values);
        }
        known
    }

    /// With L11 the corner of a node's factor, L21 its rows below and X = L21 L11^-1: Z21 = -Z22 X and
    /// Z11 = L11^-T L11^-1 - X'Z21.
    fn node(&self, n: usize, values: &[f64]) -> Mat<f64> {
        let node = &self.s.nodes[n];
        let (w, h) = (node.width, node.height);
        let numbers = MatRef::from_column_major_slice(&values[node.start..node.end()], h, w);
        let (l, below) = numbers.split_at_row(w);
        let mut x = below.to_owned();
        solve_upper_triangular_in_place(l.transpose(), x.as_mut().transpose_mut(), Par::Seq);
        let mut inverse = Mat::<f64>::identity(w, w);
        solve_lower_triangular_in_place(l, inverse.as_mut(), Par::Seq);
        let mut z = Mat::zeros(h, w);
        let (mut z11, mut z21) = z.as_mut().split_at_row_mut(w);
        matmul(&mut z21, Accum::Replace, self.corner(n), &x, -1.0, Par::Seq);
        matmul(&mut z11, Accum::Replace, inverse.transpose(), &inverse, 1.0, Par::Seq);
        matmul(&mut z11, Accum::Add, x.transpose(), &z21, -1.0, Par::Seq);
        z
    }

    /// The inverse at the rows below a node, by the same columns.
    fn corner(&self, n: usize) -> Mat<f64> {
        let s = self.s;
        let blocks = s.below(n);
        let m = s.nodes[n].height - s.nodes[n].width;
        let mut z = Mat::zeros(m, m);
        let mut column = 0;
        for (at, &b) in blocks.iter().enumerate() {
            let (node, width) = (s.node_of[b as usize] as usize, s.size_of(b as usize));
            let from = s.offsets[b as usize] - s.offsets[s.nodes[node].columns.start];
            let mut row = column;
            for (&a, place) in blocks[at..].iter().zip(s.places(node, &blocks[at..])) {
                let height = s.size_of(a as usize);
                for c in 0..width {
                    for r in 0..height {
                        let value = self.nodes[node][(place + r, from + c)];
                        (z[(row + r, column + c)], z[(column + c, row + r)]) = (value, value);
                    }
                }
                row += height;
            }
            column += width;
        }
        z
    }

    /// A block inside the pattern, row-major, by its place in elimination order.
    fn block(&self, a: usize, b: usize) -> Vec<f64> {
        let (low, high) = (a.max(b), a.min(b));
        let node = self.s.node_of[high] as usize;
        let row = self.s.find(low, high).unwrap_or_default();
        let column = self.s.offsets[high] - self.s.offsets[self.s.nodes[node].columns.start];
        let entry = |r: usize, c: usize| {
            let (r, c) = if a >= b { (r, c) } else { (c, r) };
            self.nodes[node][(row + r, column + c)]
        };
        let (rows, columns) = (self.s.size_of(a), self.s.size_of(b));
        (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))).map(|(r, c)| entry(r, c)).collect()
    }
}
