//! Sums over short vectors, in one order.

pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(a, b)| a * b).sum()
}

pub fn norm(x: &[f64]) -> f64 {
    let squares = dot(x, x);
    if squares.is_normal() {
        return squares.sqrt();
    }
    let largest = x.iter().fold(0.0, |a: f64, b| a.max(b.abs())); // squares below 1e-308 or beyond 1e308
    if largest == 0.0 || !largest.is_finite() {
        return squares.sqrt();
    }
    largest * x.iter().map(|v| (v / largest) * (v / largest)).sum::<f64>().sqrt()
}
