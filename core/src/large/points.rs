//! What is kept of each eliminated variable: its block of J'J, gradient, damping and factor.

use std::ops::Range;

use super::fused::fma;

/// Of one variable with e degrees of freedom: `[H | L | g | z | scale² ]`, H and L packed row by row (lower), the diagonal
/// of L inverted; z = L^-1 g.
pub struct Points {
    pub e: usize,
    pub stride: usize,
    pub all: Vec<f64>,
}

/// Damping acts on diag(J'J) of the scaled unknowns, clamped: without a lower bound an unknown without effect would run
/// away, without an upper one a huge curvature would stand still.
const CLAMP: (f64, f64) = (1e-6, 1e32);

/// A pivot below this part of its diagonal is rounding: the direction is not determined, no step is taken in it.
const PIVOT: f64 = 1e-14;

/// The square of what unknowns are scaled by, fixed at the first Jacobian: 1/(1 + |J_j|)².
pub fn scale_of(diagonal: f64) -> f64 {
    let scale = 1.0 / (1.0 + diagonal.sqrt());
    scale * scale
}

/// The diagonal of the damping for unit lambda.
#[inline(always)]
pub fn damping_of(diagonal: f64, scale: f64) -> f64 {
    (scale * diagonal).clamp(CLAMP.0, CLAMP.1) / scale
}

impl Points {
    pub fn new(n: usize, e: usize) -> Self {
        let stride = e * (e + 1) + 3 * e;
        Points { e, stride, all: vec![0.0; n * stride] }
    }

    pub fn of(&self, track: usize) -> &[f64] {
        &self.all[track * self.stride..][..self.stride]
    }

    /// Where H, L, g, z and the scales are.
    pub fn parts(e: usize) -> [Range<usize>; 5] {
        let p = e * (e + 1) / 2;
        [0..p, p..2 * p, 2 * p..2 * p + e, 2 * p + e..2 * p + 2 * e, 2 * p + 2 * e..2 * p + 3 * e]
    }
}

/// Factors H + lambda D of one variable; components that are frozen, or not determined, get an inverse pivot of zero:
/// they take no step.
#[inline(always)]
pub fn factor<const F: bool>(e: usize, point: &mut [f64], lambda: f64, frozen: Option<&[bool]>) {
    let p = e * (e + 1) / 2;
    let (h, rest) = point.split_at_mut(p);
    let (l, rest) = rest.split_at_mut(p);
    let scale = &rest[2 * e..];
    for i in 0..e {
        let row = i * (i + 1) / 2;
        for j in 0..=i {
            let column = j * (j + 1) / 2;
            let mut sum = h[row + j];
            if i == j {
                sum = fma::<F>(lambda, damping_of(h[row + i], scale[i]), sum);
            }
            let whole = sum;
            for k in 0..j {
                sum = fma::<F>(-l[row + k], l[column + k], sum);
            }
            l[row + j] = if i != j {
                sum * l[column + j]
            } else if sum <= PIVOT * whole || frozen.is_some_and(|f| f[i]) {
                0.0
            } else {
                1.0 / sum.sqrt()
            };
        }
    }
}

/// x := L^-1 x.
#[inline(always)]
pub fn forward<const F: bool>(e: usize, l: &[f64], x: &mut [f64]) {
    for i in 0..e {
        let row = i * (i + 1) / 2;
        let mut sum = x[i];
        for k in 0..i {
            sum = fma::<F>(-l[row + k], x[k], sum);
        }
        x[i] = sum * l[row + i];
    }
}

/// x := L^-T x.
#[inline(always)]
pub fn backward<const F: bool>(e: usize, l: &[f64], x: &mut [f64]) {
    for i in (0..e).rev() {
        let mut sum = x[i];
        for k in i + 1..e {
            sum = fma::<F>(-l[k * (k + 1) / 2 + i], x[k], sum);
        }
        x[i] = sum * l[i * (i + 1) / 2 + i];
    }
}
