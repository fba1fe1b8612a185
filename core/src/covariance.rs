//! The covariance of least-squares estimates, from the triangular factor of the Jacobian.

/// (R'R)^-1 for the upper triangular R of full rank that leads `factor`, the triangular factor of [J f]
/// ((p + 1) x (p + 1), row-major); `None` where a column is zero or not finite.
///
/// Columns are scaled to length one before the triangle is inverted by back-substitution, and unscaled last, so that
/// J'J is never formed: its condition is the square of R's (Björck 1996). Plain loops, no BLAS: at p = 3 it takes a
/// fraction of a microsecond, and no pool of threads wakes up to spin beside ours.
pub fn inverse_gram(factor: &[f64], p: usize) -> Option<Vec<f64>> {
    assert_eq!(factor.len(), (p + 1) * (p + 1));
    let r: Vec<f64> = (0..p).flat_map(|i| factor[i * (p + 1)..][..p].iter().copied()).collect();
    let scale: Vec<f64> = (0..p).map(|j| column_length(&r, p, j)).collect();
    if scale.iter().any(|s| *s == 0.0 || !s.is_finite()) {
        return None;
    }
    // X = (R scaled)^-1, upper triangular, column after column
    let mut x = vec![0.0; p * p];
    for k in 0..p {
        for i in (0..=k).rev() {
            let mut sum = if i == k { 1.0 } else { 0.0 };
            for j in i + 1..=k {
                sum -= r[i * p + j] / scale[j] * x[j * p + k];
            }
            x[i * p + k] = sum / (r[i * p + i] / scale[i]);
        }
    }
    let mut out = vec![0.0; p * p];
    for i in 0..p {
        for j in 0..=i {
            let sum: f64 = (i..p).map(|k| x[i * p + k] * x[j * p + k]).sum();
            out[i * p + j] = sum / scale[i] / scale[j];
            out[j * p + i] = out[i * p + j];
        }
    }
    out.iter().all(|v| v.is_finite()).then_some(out)
}

/// Length of column j, safe from over- and underflow.
fn column_length(r: &[f64], p: usize, j: usize) -> f64 {
    let largest = (0..=j).fold(0.0_f64, |m, i| m.max(r[i * p + j].abs()));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    largest * (0..=j).map(|i| (r[i * p + j] / largest).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::inverse_gram;

    /// R with a residual column, as it comes from the minimizer.
    fn bordered(r: &[f64], p: usize) -> Vec<f64> {
        let mut factor = Vec::new();
        for row in r.chunks(p) {
            factor.extend_from_slice(row);
            factor.push(7.0);
        }
        factor.extend(std::iter::repeat_n(3.0, p + 1));
        factor
    }

    #[test]
    fn inverse_times_gram_is_the_identity() {
        let r = [2.0, 1.0, -3.0, 0.0, 0.5, 4.0, 0.0, 0.0, 0.01];
        let inverse = inverse_gram(&bordered(&r, 3), 3).unwrap();
        for i in 0..3 {
            for j in 0..3 {
                let gram = |a: usize, b: usize| (0..3).map(|k| r[k * 3 + a] * r[k * 3 + b]).sum::<f64>();
                let entry: f64 = (0..3).map(|k| inverse[i * 3 + k] * gram(k, j)).sum();
                assert!((entry - f64::from(u8::from(i == j))).abs() < 1e-9, "{i} {j} {entry}");
            }
        }
    }

    #[test]
    fn units_of_parameters_do_not_matter() {
        let (r, s) = ([2.0, 1.0, 0.0, 0.5], [1e-150, 1e140]);
        let plain = inverse_gram(&bordered(&r, 2), 2).unwrap();
        let scaled = inverse_gram(&bordered(&[r[0] * s[0], r[1] * s[1], 0.0, r[3] * s[1]], 2), 2).unwrap();
        assert!((scaled[1] * s[0] * s[1] / plain[1] - 1.0).abs() < 1e-14);
    }

    #[test]
    fn a_zero_column_has_no_inverse() {
        assert!(inverse_gram(&bordered(&[1.0, 0.0, 0.0, 0.0], 2), 2).is_none());
    }
}
