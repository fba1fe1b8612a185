//! Looking at numbers before they are trusted.

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

/// Whether no value is NaN or infinite. (A sum of zeros vectorizes; looking at one value after the other does not.)
pub fn all_finite(values: &[f64]) -> bool {
    values.chunks(4096).all(|chunk| {
        let mut sums = [0.0; 16];
        let (whole, rest) = chunk.as_chunks::<16>();
        for lane in whole {
            for k in 0..16 {
                sums[k] += lane[k] * 0.0;
            }
        }
        sums.iter().chain(rest).map(|v| v * 0.0).sum::<f64>() == 0.0
    })
}

#[cfg(test)]
mod tests {
    use super::{all_finite, first_difference};

    #[test]
    fn rounding_agrees_and_more_does_not() {
        assert_eq!(first_difference(&[1.0, 2.0], &[1.0, 2.0 + 1e-10]), None);
        assert_eq!(first_difference(&[1.0, 2.0], &[1.0, 2.0 + 1e-7]), Some(1));
        assert_eq!(first_difference(&[1.0, 0.0], &[1.0, 1e-12]), None);
    }

    #[test]
    fn one_bad_value_anywhere_is_found() {
        for k in [0, 15, 16, 4095, 4096, 5000] {
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let mut values = vec![1e300; 5001];
                assert!(all_finite(&values));
                values[k] = bad;
                assert!(!all_finite(&values));
            }
        }
    }

    #[test]
    fn infinities_must_match_and_nan_agrees_with_anything() {
        let inf = f64::INFINITY;
        assert_eq!(first_difference(&[inf, f64::NAN], &[inf, 3.0]), None);
        assert_eq!(first_difference(&[1.0, 1.0], &[1.0, f64::NAN]), Some(1));
        assert_eq!(first_difference(&[inf], &[1.0]), Some(0));
    }
}
