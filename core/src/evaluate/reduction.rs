//! Actual reduction of rss between two residual vectors.

const LANES: usize = 8;

/// Sums over rows; `before` and `after` only over the rows that changed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reduction {
    /// rss(f) - rss(f1).
    pub actual: f64,
    pub rows: usize,
    pub before: f64,
    pub after: f64,
    /// rss(f1), over all rows.
    pub total: f64,
}

impl Reduction {
    /// Adds the sums of other rows.
    #[inline(always)]
    pub fn add(&mut self, other: &Reduction) {
        self.actual += other.actual;
        self.rows += other.rows;
        self.before += other.before;
        self.after += other.after;
        self.total += other.total;
    }
}

/// The reduction as a sum of products (f - f1)(f + f1): a difference of two sums of squares would drown
/// beside one huge constant residual. Not finite where f1 is not.
#[inline(always)]
pub fn reduction(f: &[f64], f1: &[f64]) -> Reduction {
    let (mut actual, mut before, mut after) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    let mut total = [0.0; LANES];
    let mut rows = [0u64; LANES];
    let mut add = |k: usize, a: f64, b: f64| {
        let changed = a != b;
        actual[k] += (a - b) * (a + b);
        before[k] += if changed { a * a } else { 0.0 };
        after[k] += if changed { b * b } else { 0.0 };
        total[k] += b * b;
        rows[k] += u64::from(changed);
    };
    let (whole, rest) = f.as_chunks::<LANES>();
    let (whole1, rest1) = f1.as_chunks::<LANES>();
    for (a, b) in whole.iter().zip(whole1) {
        for k in 0..LANES {
            add(k, a[k], b[k]);
        }
    }
    for (k, (a, b)) in rest.iter().zip(rest1).enumerate() {
        add(k, *a, *b);
    }
    Reduction {
        actual: actual.iter().sum(),
        rows: rows.iter().sum::<u64>() as usize,
        before: before.iter().sum(),
        after: after.iter().sum(),
        total: total.iter().sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_huge_constant_residual_does_not_change_the_reduction() {
        let (f, f1) = ([1.0, 2.0, 3.0], [1.0, 1.5, 2.0]);
        let alone = reduction(&f, &f1);
        let beside = reduction(&[1.0, 2.0, 3.0, 1e12], &[1.0, 1.5, 2.0, 1e12]);
        assert_eq!(Reduction { total: alone.total, ..beside }, alone);
        assert_eq!((alone.actual, alone.rows, alone.total), (6.75, 2, 7.25));
    }
}
