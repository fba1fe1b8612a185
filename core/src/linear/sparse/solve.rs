//! Solving with the factor, node by node: forward for L, backward for L'.

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, MatMut, MatRef, Par};

use super::single;
use super::symbolic::{Node, Symbolic};
use crate::tape::Level;

/// Solves A X = B; `rhs` holds the columns of B one after the other.
pub(super) fn solve(s: &Symbolic, values: &[f64], rhs: &mut [f64], n_rhs: usize, offsets: &[usize]) {
    let n = s.dimension();
    let mut x = vec![0.0; rhs.len()];
    for (from, to) in rhs.chunks_exact(n.max(1)).zip(x.chunks_exact_mut(n.max(1))) {
        for (k, &i) in s.order.iter().enumerate() {
            to[s.offsets[k]..s.offsets[k + 1]].copy_from_slice(&from[offsets[i]..offsets[i + 1]]);
        }
    }
    if n_rhs == 1 {
        one(s, values, &mut x);
    } else {
        several(s, values, &mut x, n_rhs);
    }
    for (to, from) in rhs.chunks_exact_mut(n.max(1)).zip(x.chunks_exact(n.max(1))) {
        for (k, &i) in s.order.iter().enumerate() {
            to[offsets[i]..offsets[i + 1]].copy_from_slice(&from[s.offsets[k]..s.offsets[k + 1]]);
        }
    }
}

fn several(s: &Symbolic, values: &[f64], x: &mut [f64], n_rhs: usize) {
    let mut below = Vec::new();
    for at in 0..s.nodes.len() {
        forward(s, at, values, x, n_rhs, &mut below);
    }
    for at in (0..s.nodes.len()).rev() {
        backward(s, at, values, x, n_rhs, &mut below);
    }
}

fn one(s: &Symbolic, values: &[f64], x: &mut [f64]) {
    let tallest = s.nodes.iter().map(|n| n.height).max().unwrap_or(0);
    let (mut y, level) = (vec![0.0; tallest], Level::best());
    for (at, node) in s.nodes.iter().enumerate() {
        let first = s.offsets[node.columns.start];
        let y = &mut y[..node.height];
        y[..node.width].copy_from_slice(&x[first..first + node.width]);
        y[node.width..].fill(0.0);
        single::forward(level, &values[node.start..node.end()], node.height, node.width, y);
        x[first..first + node.width].copy_from_slice(&y[..node.width]);
        let mut from = node.width;
        for k in s.below(at).iter().map(|&k| k as usize) {
            let target = &mut x[s.offsets[k]..s.offsets[k + 1]];
            target.iter_mut().zip(&y[from..]).for_each(|(x, y)| *x += y);
            from += target.len();
        }
    }
    for (at, node) in s.nodes.iter().enumerate().rev() {
        let first = s.offsets[node.columns.start];
        let y = &mut y[..node.height];
        y[..node.width].copy_from_slice(&x[first..first + node.width]);
        let mut to = node.width;
        for k in s.below(at).iter().map(|&k| k as usize) {
            let source = &x[s.offsets[k]..s.offsets[k + 1]];
            y[to..to + source.len()].copy_from_slice(source);
            to += source.len();
        }
        single::backward(level, &values[node.start..node.end()], node.height, node.width, y);
        x[first..first + node.width].copy_from_slice(&y[..node.width]);
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
