//! Does a traced model give what the real function gives?

/// Relative difference that different orders of the same operations may make, and that much of the largest value.
const RELATIVE: f64 = 1e-9;
const OF_LARGEST: f64 = 1e-11;

/// The first element where `traced` is not `plain`. A trace may stay finite where the plain formula overflows or is
/// undefined in an intermediate result (stable rewrites do), so NaN in `plain` agrees with anything.
pub fn first_difference(plain: &[f64], traced: &[f64]) -> Option<usize> {
    let largest =
        |values: &[f64]| values.iter().filter(|v| v.is_finite()).fold(0.0_f64, |m, v| m.max(v.abs()));
    let slack = OF_LARGEST * largest(plain);
    plain.iter().zip(traced).position(|(p, t)| {
        let same = p == t || p.is_nan() || p.is_finite() && (p - t).abs() <= RELATIVE * p.abs() + slack;
        !same
    })
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn rounding_agrees_and_more_does_not() {
        assert_eq!(first_difference(&[1.0, 2.0], &[1.0, 2.0 + 1e-10]), None);
        assert_eq!(first_difference(&[1.0, 2.0], &[1.0, 2.0 + 1e-7]), Some(1));
        assert_eq!(first_difference(&[1.0, 0.0], &[1.0, 1e-12]), None);
    }

    #[test]
    fn infinities_must_match_and_nan_agrees_with_anything() {
        let inf = f64::INFINITY;
        assert_eq!(first_difference(&[inf, f64::NAN], &[inf, 3.0]), None);
        assert_eq!(first_difference(&[1.0, 1.0], &[1.0, f64::NAN]), Some(1));
        assert_eq!(first_difference(&[inf], &[1.0]), Some(0));
    }
}
