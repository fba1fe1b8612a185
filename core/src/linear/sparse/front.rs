//! A tall dense matrix whose upper part is symmetric positive definite: the factor of that part, and the rows below
//! divided by it. Wide ones go panel by panel in pieces of fixed size, which threads share.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{LltError, cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, MatMut, MatRef, Par};

use crate::threads::{n_threads, share};

/// Columns of a panel at most, and rows of a piece below it.
const PANEL: usize = 128;
const ROWS: usize = 256;

/// Multiplications in a nanosecond, to tell what is worth sharing.
pub(super) const SPEED: f64 = 10.0;

/// What a thread works with on a part of a node.
pub(super) struct Desk {
    pub runs: Vec<Run>,
    pub product: Vec<f64>,
    memory: MemBuffer,
}

/// Scalar rows that follow one another both where they come from and where they go.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub from: usize,
    pub to: usize,
    pub length: usize,
}

impl Default for Desk {
    fn default() -> Self {
        let memory = MemBuffer::new(cholesky_in_place_scratch::<f64>(PANEL, Par::Seq, Default::default()));
        Self { runs: Vec::new(), product: Vec::new(), memory }
    }
}

/// Replaces the lower triangle of the first `width` rows by its factor L, and the rows below, B, by B L^-T. Otherwise
/// the column whose pivot is not positive.
pub(super) fn factorize(
    values: &mut [f64],
    height: usize,
    width: usize,
    desks: &mut Vec<Desk>,
    threads: usize,
) -> Result<(), usize> {
    let mut rest = MatMut::from_column_major_slice_mut(values, height, width);
    let step = width.div_ceil(width.div_ceil(PANEL).max(1));
    for at in (0..width).step_by(step.max(1)) {
        let w = step.min(width - at);
        let (panel, after) = rest.split_at_col_mut(w);
        let (mut corner, mut below) = panel.split_at_row_mut(w);
        let stack = MemStack::new(&mut desks[0].memory);
        cholesky_in_place(corner.rb_mut(), Default::default(), Par::Seq, stack, Default::default())
            .map_err(|LltError::NonPositivePivot { index }| at + index)?;
        divide(corner.rb(), below.rb_mut(), desks, threads);
        rest = after.split_at_row_mut(w).1;
        trail(below.rb(), rest.rb_mut(), desks, threads);
    }
    Ok(())
}

/// B L^-T, in pieces of rows.
fn divide(l: MatRef<f64>, below: MatMut<f64>, desks: &mut Vec<Desk>, threads: usize) {
    let work = (l.ncols() * l.ncols() * below.nrows()) as f64 / 2.0;
    let pieces = pieces_of_rows(below);
    let threads = n_threads(threads, pieces.len(), work / SPEED);
    share(threads, desks, pieces.into_iter(), |_, piece, _| {
        solve_lower_triangular_in_place(l, piece.transpose_mut(), Par::Seq);
    });
}

/// Subtracts B B' from the lower triangle of what is right of a panel.
fn trail(below: MatRef<f64>, mut rest: MatMut<f64>, desks: &mut Vec<Desk>, threads: usize) {
    let work = (below.ncols() * below.nrows() * rest.ncols()) as f64 / 2.0;
    let mut pieces = Vec::new();
    let mut at = 0;
    while rest.ncols() > 0 {
        let w = PANEL.min(rest.ncols());
        let (columns, after) = rest.split_at_col_mut(w);
        let mut row = at;
        for piece in pieces_of_rows(columns) {
            let height = piece.nrows();
            pieces.push((row, at, piece));
            row += height;
        }
        at += w;
        rest = after.split_at_row_mut(w).1;
    }
    let threads = n_threads(threads, pieces.len(), work / SPEED);
    share(threads, desks, pieces.into_iter(), |_, (row, column, piece), _| {
        let (left, right) =
            (below.get(row..row + piece.nrows(), ..), below.get(column..column + piece.ncols(), ..));
        matmul(piece, Accum::Add, left, right.transpose(), -1.0, Par::Seq);
    });
}

fn pieces_of_rows(mut rest: MatMut<f64>) -> Vec<MatMut<f64>> {
    let mut pieces = Vec::new();
    while rest.nrows() > 0 {
        let rows = ROWS.min(rest.nrows());
        let (piece, after) = rest.split_at_row_mut(rows);
        pieces.push(piece);
        rest = after;
    }
    pieces
}
