//! A quadratic model of rss, diagonalized, and its minimizer in a ball (Moré 1978).

use super::point::Point;
use crate::linear::small::{dot, norm};
use crate::linear::{eig, svd};

/// rss(t) = rss - sum(2 c t + w t^2) (negated), D v = V t, over the parameters `free`.
#[derive(Clone, Debug, Default)]
pub struct Spectrum {
    pub free: Vec<usize>,
    pub w: Vec<f64>,
    pub c: Vec<f64>,
    /// Column-major: column i belongs to w[i].
    pub v: Vec<f64>,
    /// Of a Newton model before it is diagonalized: the scaled J'J + S, and half its gradient.
    pub matrix: Vec<f64>,
    pub slopes: Vec<f64>,
    work: Vec<f64>,
}

/// A step so many times as long as the radius still counts as inside.
pub const SLACK: f64 = 1.1;

impl Spectrum {
    /// J'J over `free`, from the singular values of R D^-1; the other parameters moved by `moved`.
    pub fn gauss_newton(&mut self, p: &Point, d: &[f64], free: &[usize], moved: Option<&[f64]>) {
        let (n, k) = (p.n(), free.len());
        self.columns(p, d, free);
        self.v.resize(k * k, 0.0);
        svd::orthogonalize(&mut self.work, &mut self.v, n, k);
        let z = p.shifted(moved);
        self.w.clear();
        self.w.extend((0..k).map(|i| dot(&self.work[i * n..i * n + n], &self.work[i * n..i * n + n])));
        let largest = self.w.iter().fold(0.0, |a: f64, &b| a.max(b)).sqrt();
        let threshold = p.threshold() * largest;
        self.c.clear();
        for i in 0..k {
            let known = self.w[i].sqrt() > threshold;
            self.c.push(if known { dot(&self.work[i * n..i * n + n], &z) } else { 0.0 });
            if !known {
                self.w[i] = 0.0; // the data say nothing about this combination
            }
        }
    }

    /// J'J + S over `free`, S = sum f_i H_i, into `matrix` and `slopes`.
    pub fn assemble(&mut self, p: &Point, s: &[f64], d: &[f64], free: &[usize], moved: Option<&[f64]>) {
        let (n, k) = (p.n(), free.len());
        self.columns(p, d, free);
        let (a, b) = (&self.work, &mut self.matrix);
        b.resize(k * k, 0.0);
        for i in 0..k {
            for j in 0..=i {
                let rows = free[i].min(free[j]) + 1;
                let gram = dot(&a[i * n..i * n + rows], &a[j * n..j * n + rows]);
                b[i * k + j] = gram + s[free[i] * n + free[j]] / (d[free[i]] * d[free[j]]);
                b[j * k + i] = b[i * k + j];
            }
        }
        let z = p.shifted(moved);
        self.slopes.clear();
        self.slopes.extend((0..k).map(|i| {
            let bent = moved.map_or(0.0, |v| dot(&s[free[i] * n..free[i] * n + n], v));
            dot(&a[i * n..i * n + n], &z) + bent / d[free[i]]
        }));
    }

    /// Eigenvalues of the assembled model.
    pub fn diagonalize(&mut self) {
        let k = self.free.len();
        self.v.resize(k * k, 0.0);
        self.work.clone_from(&self.matrix);
        eig::symmetric(&mut self.work, &mut self.v, k);
        self.w.clear();
        self.w.extend((0..k).map(|i| self.work[i * k + i]));
        self.c.clear();
        self.c.extend((0..k).map(|i| dot(&self.v[i * k..i * k + k], &self.slopes)));
    }

    /// The free columns of R D^-1 into `work`, column-major.
    fn columns(&mut self, p: &Point, d: &[f64], free: &[usize]) {
        let n = p.n();
        self.free.clear();
        self.free.extend_from_slice(free);
        self.work.clear();
        for &j in free {
            self.work.extend((0..n).map(|i| if i <= j { p.r(i, j) / d[j] } else { 0.0 }));
        }
    }

    /// |Q1'f| of a Gauss-Newton spectrum.
    pub fn explained(&self) -> f64 {
        self.c.iter().zip(&self.w).map(|(c, w)| if *c != 0.0 { c * (c / w) } else { 0.0 }).sum::<f64>().sqrt()
    }

    /// t = -c / (w + damping), 0 where the model knows nothing.
    pub fn step(&self, damping: f64, t: &mut Vec<f64>) {
        t.clear();
        t.extend(self.c.iter().zip(&self.w).map(|(c, w)| if *c != 0.0 { -c / (w + damping) } else { 0.0 }));
    }

    /// sum t^2 / (w + damping): minus half the derivative of |t|^2 by the damping.
    fn decay(&self, damping: f64, t: &[f64]) -> f64 {
        t.iter().zip(&self.w).map(|(t, w)| if *t != 0.0 { t * t / (w + damping) } else { 0.0 }).sum()
    }

    /// |c|, safe against overflow of its square.
    fn slope(&self) -> f64 {
        let largest = self.c.iter().fold(0.0, |a: f64, c| a.max(c.abs()));
        let scaled: f64 = self.c.iter().map(|c| (c / largest) * (c / largest)).sum();
        if largest > 0.0 { largest * scaled.sqrt() } else { 0.0 }
    }

    /// Minimizer in |t| <= radius, to a tenth of the radius; returns its damping.
    pub fn within(&self, radius: f64, t: &mut Vec<f64>) -> f64 {
        let lowest = self.w.iter().fold(f64::INFINITY, |a, &b| a.min(b));
        let mut low = (-lowest).max(0.0);
        if lowest >= 0.0 {
            self.step(0.0, t);
            let size = norm(t);
            if size <= SLACK * radius {
                return 0.0;
            }
            low = (size - radius) * size / self.decay(0.0, t);
        }
        let high = self.slope() / radius + (-lowest).max(0.0);
        if lowest < 0.0 {
            low += 1e-10 * self.w.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
            self.step(low, t);
            let size = norm(t);
            if size < radius {
                self.along_lowest((radius * radius - size * size).sqrt(), t);
                return low;
            }
        }
        self.search(radius, low, high, t)
    }

    /// Newton's iteration for |t(damping)| = radius, from below, where |t| is convex in the damping.
    fn search(&self, radius: f64, mut low: f64, mut high: f64, t: &mut Vec<f64>) -> f64 {
        let mut damping = low.max(1e-3 * high);
        for _ in 0..10 {
            self.step(damping, t);
            let size = norm(t);
            if (size - radius).abs() <= 0.1 * radius {
                break;
            }
            if size > radius {
                low = low.max(damping);
            } else {
                high = high.min(damping);
            }
            damping = low.max(damping + (size - radius) * size / self.decay(damping, t) * size / radius);
        }
        self.step(damping, t);
        damping
    }

    /// The hard case: go on along the lowest eigenvector to the border.
    fn along_lowest(&self, length: f64, t: &mut [f64]) {
        let k = (0..t.len()).min_by(|&i, &j| self.w[i].total_cmp(&self.w[j])).unwrap_or(0);
        t[k] += length.copysign(t[k]);
    }

    /// push := -V (w + damping)^-1 V' push.
    pub fn answer(&self, damping: f64, push: &mut [f64], room: &mut Vec<f64>) {
        let k = push.len();
        room.clear();
        for i in 0..k {
            let along = dot(&self.v[i * k..i * k + k], push);
            room.push(if self.c[i] != 0.0 { -along / (self.w[i] + damping) } else { 0.0 });
        }
        for (row, push) in push.iter_mut().enumerate() {
            *push = (0..k).map(|i| self.v[i * k + row] * room[i]).sum();
        }
    }

    /// v = D^-1 V t in the free components of `v`.
    pub fn apply(&self, t: &[f64], d: &[f64], v: &mut [f64]) {
        let k = self.free.len();
        for (row, &j) in self.free.iter().enumerate() {
            v[j] = (0..k).map(|i| self.v[i * k + row] * t[i]).sum::<f64>() / d[j];
        }
    }
}
