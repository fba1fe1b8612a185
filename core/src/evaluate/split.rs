//! The triangular factor of a joint [J f] with the linear parameters first, and what follows from it.

use super::Linearization;
use crate::linear::small::dot;

/// A column of Rcc that keeps less than this of its length beside those before it is left out of the projection.
const DEPENDENT: f64 = 1e-12;

/// The triangular factor with the linear parameters first.
#[derive(Clone, Debug, Default)]
pub(super) struct Split {
    /// Linear parameters that the others do not stand for; they come first.
    pub kept: Vec<usize>,
    /// The parameter of each column: those kept, the others, those linear ones that depend on the kept.
    order: Vec<usize>,
    /// Of [J f] in this order, (n + 1) squared, row-major.
    factor: Vec<f64>,
    /// Parameters that are not linear.
    p: usize,
    /// A = Rcc^-1 Rcn, c x p: how the linear parameters follow the others, but for the sign.
    a: Vec<f64>,
}

impl Split {
    fn width(&self) -> usize {
        self.order.len() + 1
    }

    /// Reorders the joint factor; linear parameters whose columns depend on those before stay where they are.
    pub fn of(&mut self, joint: &Linearization, linear: &[usize], others: &[usize]) {
        self.p = others.len();
        self.factor.clone_from(&joint.factor);
        self.order.clear();
        self.order.extend(0..joint.gradient.len());
        self.kept.clear();
        for &j in linear {
            let k = self.kept.len();
            self.bring(j, k);
            if !self.is_dependent(k) {
                self.kept.push(j);
            }
        }
        for (k, &j) in others.iter().enumerate() {
            self.bring(j, self.kept.len() + k);
        }
        self.find_slopes();
    }

    /// The same of a factor of the linear columns alone, in their order: all that `shift` needs.
    pub fn of_linear(&mut self, some: &Linearization, linear: &[usize]) {
        self.p = 0;
        self.factor.clone_from(&some.factor);
        self.order.clear();
        self.order.extend(0..linear.len());
        self.kept.clear();
        for j in 0..linear.len() {
            let k = self.kept.len();
            self.bring(j, k);
            if !self.is_dependent(k) {
                self.kept.push(j);
            }
        }
        self.kept.iter_mut().for_each(|k| *k = linear[*k]);
    }

    /// Moves the column of parameter j left to place k, past one neighbor after another; a Givens rotation of two rows
    /// makes the factor triangular again.
    fn bring(&mut self, j: usize, k: usize) {
        let w = self.width();
        let from = self.order.iter().position(|&o| o == j).unwrap_or(k);
        for right in (k + 1..=from).rev() {
            let left = right - 1;
            self.order.swap(left, right);
            for row in self.factor.chunks_exact_mut(w).take(right + 1) {
                row.swap(left, right);
            }
            let (upper, lower) = self.factor[left * w..].split_at_mut(w);
            let (x, y) = (upper[left], lower[left]);
            let length = x.hypot(y);
            if length > 0.0 {
                let (c, s) = (x / length, y / length);
                for (u, l) in upper[left..w].iter_mut().zip(&mut lower[left..w]) {
                    (*u, *l) = (c * *u + s * *l, c * *l - s * *u);
                }
            }
            lower[left] = 0.0;
        }
    }

    /// Does column k keep next to nothing beside those before it?
    fn is_dependent(&self, k: usize) -> bool {
        let w = self.width();
        let largest = (0..=k).fold(0.0, |a: f64, i| a.max(self.factor[i * w + k].abs()));
        self.factor[k * w + k].abs() <= DEPENDENT * largest
    }

    fn find_slopes(&mut self) {
        let (c, p, w) = (self.kept.len(), self.p, self.width());
        self.a.clear();
        self.a.resize(c * p, 0.0);
        for i in (0..c).rev() {
            for j in 0..p {
                let row = &self.factor[i * w..];
                let rest: f64 = (i + 1..c).map(|l| row[l] * self.a[l * p + j]).sum();
                self.a[i * p + j] = (row[c + j] - rest) / row[i];
            }
        }
    }

    /// Row l of A.
    pub fn slopes(&self, l: usize) -> &[f64] {
        &self.a[l * self.p..(l + 1) * self.p]
    }

    /// Rcc'x = b.
    pub fn solve_transposed(&self, b: &[f64]) -> Vec<f64> {
        let (w, mut x) = (self.width(), b.to_vec());
        for i in 0..x.len() {
            let lost: f64 = (0..i).map(|k| self.factor[k * w + i] * x[k]).sum();
            x[i] = (x[i] - lost) / self.factor[i * w + i];
        }
        x
    }

    /// Moves the linear parameters by -Rcc^-1 zc; `step` is room for it.
    pub fn shift(&self, all: &mut [f64], step: &mut Vec<f64>) {
        let (c, w) = (self.kept.len(), self.width());
        step.clear();
        step.resize(c, 0.0);
        for i in (0..c).rev() {
            let row = &self.factor[i * w..];
            step[i] = (row[w - 1] - dot(&row[i + 1..c], &step[i + 1..])) / row[i];
        }
        self.kept.iter().zip(step).for_each(|(&j, step)| all[j] -= *step);
    }

    /// The linearization of the projected residuals; `norms` is room.
    pub fn project(
        &self,
        joint: &Linearization,
        others: &[usize],
        out: &mut Linearization,
        norms: &mut Vec<f64>,
    ) {
        let (c, p, w) = (self.kept.len(), self.p, self.width());
        out.reset(p);
        for i in 0..p {
            let (row, from) = (&mut out.factor[i * (p + 1)..], &self.factor[(c + i) * w..]);
            row[i..p].copy_from_slice(&from[c + i..c + p]);
            row[p] = from[w - 1];
        }
        out.factor[p * (p + 1) + p] = (c + p..w).fold(0.0, |a: f64, i| a.hypot(self.factor[i * w + w - 1]));
        joint.column_norms(norms);
        out.terms = joint.size_of_terms(norms); // columns shorter for the projection would feign a larger one
        let rest = out.factor[p * (p + 1) + p];
        for (j, &other) in others.iter().enumerate() {
            // From the factor: J'f summed over the data would lose what the columns have in common.
            let column = |i: usize| out.factor[i * (p + 1) + j];
            out.gradient[j] = (0..=j).map(|i| column(i) * out.factor[i * (p + 1) + p]).sum();
            let length = (0..=j).fold(0.0, |a: f64, i| a.hypot(column(i)));
            let through = self.kept.iter().enumerate();
            let through: f64 = through.map(|(l, &k)| self.slopes(l)[j].abs() * norms[k]).sum();
            out.rounding[j] = length * out.terms + (norms[other] + through) * rest;
        }
    }

    /// Jn'P v of a vector given as J'v: its part of the others, less A' of that of the linear ones.
    pub fn reduce(&self, all: &[f64], others: &[usize], out: &mut [f64]) {
        for (j, &other) in others.iter().enumerate() {
            let through = self.kept.iter().enumerate();
            out[j] = all[other] - through.map(|(l, &k)| self.slopes(l)[j] * all[k]).sum::<f64>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A triangular factor of [J f] with four parameters; column 3 of J is twice column 1 where `dependent`.
    fn joint(dependent: bool) -> Linearization {
        let mut factor: Vec<f64> =
            (0..25).map(|k| if k % 5 >= k / 5 { ((7 * k + 3) as f64).sin() + 0.1 } else { 0.0 }).collect();
        if dependent {
            (0..5).for_each(|i| factor[i * 5 + 3] = 2.0 * factor[i * 5 + 1]);
        }
        Linearization { factor, gradient: vec![0.0; 4], rounding: vec![1.0; 4], terms: 0.0 }
    }

    fn gram(columns: &[usize], factor: &[f64]) -> Vec<f64> {
        let product = |a: usize, b: usize| (0..5).map(|i| factor[i * 5 + a] * factor[i * 5 + b]).sum();
        columns
            .iter()
            .flat_map(|&a| columns.iter().map(move |&b| (a, b)))
            .map(|(a, b)| product(a, b))
            .collect()
    }

    #[test]
    fn reordering_keeps_the_products_of_columns_and_the_triangle() {
        let (joint, mut split) = (joint(false), Split::default());
        split.of(&joint, &[1, 3], &[0, 2]);
        assert_eq!(split.order, [1, 3, 0, 2]);
        let (before, after) = (gram(&[1, 3, 0, 2, 4], &joint.factor), gram(&[0, 1, 2, 3, 4], &split.factor));
        assert!(before.iter().zip(&after).all(|(a, b)| (a - b).abs() < 1e-13));
        assert!((0..25).all(|k| k % 5 >= k / 5 || split.factor[k] == 0.0));
    }

    #[test]
    fn the_shift_leaves_nothing_that_linear_columns_could_explain() {
        let (joint, mut split) = (joint(false), Split::default());
        split.of(&joint, &[1, 3], &[0, 2]);
        let mut all = vec![0.0; 4];
        split.shift(&mut all, &mut Vec::new());
        let f = |i: usize| {
            joint.factor[i * 5 + 4] + (0..4).map(|j| joint.factor[i * 5 + j] * all[j]).sum::<f64>()
        };
        for j in [1, 3] {
            assert!((0..5).map(|i| joint.factor[i * 5 + j] * f(i)).sum::<f64>().abs() < 1e-13);
        }
        assert_eq!((all[0], all[2]), (0.0, 0.0));
    }

    #[test]
    fn a_column_that_others_stand_for_stays_where_it_is() {
        let (joint, mut split) = (joint(true), Split::default());
        split.of(&joint, &[1, 3], &[0, 2]);
        assert_eq!(split.kept, [1]);
        let (mut all, mut out) = (vec![0.0; 4], Linearization::default());
        split.shift(&mut all, &mut Vec::new());
        assert_eq!(all[3], 0.0);
        split.project(&joint, &[0, 2], &mut out, &mut Vec::new());
        let whole: f64 = (0..5).map(|i| joint.factor[i * 5 + 4].powi(2)).sum();
        let explained = split.factor[4].powi(2);
        let left: f64 = (0..3).map(|i| out.factor[i * 3 + 2].powi(2)).sum();
        assert!((whole - explained - left).abs() < 1e-13);
    }
}
