//! Solving with the factor, node by node: forward for L, backward for L'.

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, MatMut, MatRef, Par};

use super::symbolic::{Node, Symbolic};

/// Solves A X = B; `rhs` holds the columns of B one after the other.
pub(super) fn solve(s: &Symbolic, values: &[f64], rhs: &mut [f64], n_rhs: usize, offsets: &[usize]) {
    let n = s.dimension();
    let mut x = vec![0.0; rhs.len()];
    for (from, to) in rhs.chunks_exact(n.max(1)).zip(x.chunks_exact_mut(n.max(1))) {
        for (k, &i) in s.order.iter().enumerate() {
            to[s.offsets[k]..s.offsets[k + 1]].copy_from_slice(&from[offsets[i]..offsets[i + 1]]);
        }
    }
    let mut below = Vec::new();
    for at in 0..s.nodes.len() {
        forward(s, at, values, &mut x, n_rhs, &mut below);
    }
    for at in (0..s.nodes.len()).rev() {
        backward(s, at, values, &mut x, n_rhs, &mut below);
    }
    for (to, from) in rhs.chunks_exact_mut(n.max(1)).zip(x.chunks_exact(n.max(1))) {
        for (k, &i) in s.order.iter().enumerate() {
            to[offsets[i]..offsets[i + 1]].copy_from_slice(&from[s.offsets[k]..s.offsets[k + 1]]);
        }
    }
}

fn parts<'a>(node: &Node, values: &'a [f64]) -> (MatRef<'a, f64>, MatRef<'a, f64>) {
    let numbers = &values[node.start..node.end()];
    MatRef::from_column_major_slice(numbers, node.height, node.width).split_at_row(node.width)
}

fn forward(s: &Symbolic, at: usize, values: &[f64], x: &mut [f64], n_rhs: usize, below: &mut Vec<f64>) {
    let (node, n) = (&s.nodes[at], s.dimension());
    let (l, b) = parts(node, values);
    let first = s.offsets[node.columns.start];
    let mut own = MatMut::from_column_major_slice_mut(x, n, n_rhs).get_mut(first..first + node.width, ..);
    solve_lower_triangular_in_place(l, own.rb_mut(), Par::Seq);
    let m = node.height - node.width;
    below.resize(below.len().max(m * n_rhs), 0.0);
    let product = MatMut::from_column_major_slice_mut(&mut below[..m * n_rhs], m, n_rhs);
    matmul(product, Accum::Replace, b, own.rb(), 1.0, Par::Seq);
    let mut from = 0;
    for k in s.below(at).iter().map(|&k| k as usize) {
        let size = s.size_of(k);
        for c in 0..n_rhs {
            let target = &mut x[c * n + s.offsets[k]..][..size];
            target.iter_mut().zip(&below[c * m + from..]).for_each(|(x, p)| *x -= p);
        }
        from += size;
    }
}

fn backward(s: &Symbolic, at: usize, values: &[f64], x: &mut [f64], n_rhs: usize, below: &mut Vec<f64>) {
    let (node, n) = (&s.nodes[at], s.dimension());
    let (l, b) = parts(node, values);
    let m = node.height - node.width;
    below.resize(below.len().max(m * n_rhs), 0.0);
    let mut to = 0;
    for k in s.below(at).iter().map(|&k| k as usize) {
        let size = s.size_of(k);
        for c in 0..n_rhs {
            below[c * m + to..][..size].copy_from_slice(&x[c * n + s.offsets[k]..][..size]);
        }
        to += size;
    }
    let known = MatRef::from_column_major_slice(&below[..m * n_rhs], m, n_rhs);
    let first = s.offsets[node.columns.start];
    let mut own = MatMut::from_column_major_slice_mut(x, n, n_rhs).get_mut(first..first + node.width, ..);
    matmul(own.rb_mut(), Accum::Add, b.transpose(), known, -1.0, Par::Seq);
    solve_upper_triangular_in_place(l.transpose(), own, Par::Seq);
}
