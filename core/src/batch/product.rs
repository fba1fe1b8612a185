//! A model that is a sum of products of one-axis factors, on a grid: a group of fits at once.
//!
//! With J = Phi C, where the columns of Phi are products u(x) v(y) and C holds parameter-only coefficients, J'J is
//! C' (Phi'Phi) C, and an entry of Phi'Phi is (sum_x u u') (sum_y v v'). The residuals themselves are formed at every
//! point, from the products: |y|^2 - 2 y'f + |f|^2 would lose the digits that the end of a fit is judged by. J'r is
//! their contraction with the factors, first along rows, then across them.

use pulp::Simd;

use super::line::{Own, load, store, vectors};
pub(crate) use super::moments::ROWS;
use super::moments::{contract, gram};
use super::plan::{Entry, Plan};
use crate::tape::Real;

/// Where the sums of a group of fits are collected.
pub(crate) struct Sums<T: Real> {
    /// Lower triangle of J'J, row by row.
    pub matrix: Vec<Own<T>>,
    pub gradient: Vec<Own<T>>,
    pub rss: Own<T>,
    grams: [Vec<Own<T>>; 2],
    products: Vec<Own<T>>,
    contracted: Vec<[Own<T>; ROWS]>,
    across: Vec<[Own<T>; ROWS]>,
}

pub(crate) const fn triangle(n: usize) -> usize {
    n * (n + 1) / 2
}

impl<T: Real> Sums<T> {
    pub(crate) fn new(plan: &Plan) -> Self {
        let lines = |n: usize| vec![Own::ZERO; n];
        let [k0, k1] = plan.n_factors;
        Sums {
            matrix: lines(triangle(plan.n_params())),
            gradient: lines(plan.n_params()),
            rss: Own::ZERO,
            grams: [lines(k0 * k0), lines(k1 * k1)],
            products: lines(plan.products.len()),
            contracted: vec![[Own::ZERO; ROWS]; k1],
            across: vec![[Own::ZERO; ROWS]; plan.across.len()],
        }
    }
}

/// a += b c
#[inline(always)]
fn add_product<S: Simd, T: Real>(s: S, a: &mut T::Line, b: &T::Line, c: &T::Line) {
    for part in 0..vectors::<S, T>() {
        let sum = T::ma(s, load::<S, T>(b, part), load::<S, T>(c, part), load::<S, T>(a, part));
        store::<S, T>(a, part, sum);
    }
}

/// The factors of both axes and the coefficients of a group of fits.
pub(crate) struct Parts<'a, T: Real> {
    pub factors: [&'a [&'a [T::Line]]; 2],
    pub coefficients: &'a [T::Line],
}

/// A rows of n.
#[inline(always)]
fn split<L, const A: usize>(mut x: &mut [L], n: usize) -> [&mut [L]; A] {
    let mut out: [&mut [L]; A] = std::array::from_fn(|_| &mut [] as &mut [_]);
    for a in 0..A {
        let (row, rest) = x.split_at_mut(n);
        out[a] = row;
        x = rest;
    }
    out
}

/// f = start + factor * v - y for A rows, the start in `f` itself where `SUM`; and the sums of its squares.
#[inline(always)]
fn residuals<S: Simd, T: Real, const A: usize, const SUM: bool>(
    s: S,
    start: &[T::Line; A],
    factor: &[Own<T>; ROWS],
    v: &[T::Line],
    y: &[T::Line],
    f: &mut [&mut [T::Line]; A],
) -> [T::Line; A] {
    let n = v.len();
    let mut squares = [T::ZERO_LINE; A];
    let mut y_rows: [&[T::Line]; A] = [&[]; A];
    for a in 0..A {
        y_rows[a] = &y[a * n..][..n];
        f[a] = &mut std::mem::take(&mut f[a])[..n];
    }
    for part in 0..vectors::<S, T>() {
        let mut sums = [T::splat(s, T::default()); A];
        for j in 0..n {
            for a in 0..A {
                let start = load::<S, T>(if SUM { &f[a][j] } else { &start[a] }, part);
                let model = T::ma(s, load::<S, T>(&factor[a], part), load::<S, T>(&v[j], part), start);
                let r = T::difference(s, model, load::<S, T>(&y_rows[a][j], part));
                store::<S, T>(&mut f[a][j], part, r);
                sums[a] = T::ma(s, r, r, sums[a]);
            }
        }
        for a in 0..A {
            store::<S, T>(&mut squares[a], part, sums[a]);
        }
    }
    squares
}

/// The part of the model in row `i` that goes with one factor of the second axis.
#[inline(always)]
fn across_at<S: Simd, T: Real>(
    s: S,
    terms: &[(usize, usize)],
    u: &[&[T::Line]],
    i: usize,
    coefficients: &[T::Line],
) -> T::Line {
    let mut sum = T::ZERO_LINE;
    for &(k, c) in terms {
        add_product::<S, T>(s, &mut sum, &u[k][i], &coefficients[c]);
    }
    sum
}

impl Plan {
    /// All sums; `f` is room for the residuals model - y of `ROWS` rows.
    #[inline(always)]
    pub(crate) fn sum<S: Simd, T: Real>(
        &self,
        s: S,
        parts: &Parts<T>,
        y: &[T::Line],
        f: &mut [T::Line],
        sums: &mut Sums<T>,
    ) {
        let [n0, n1] = self.sizes;
        sums.rss = Own::ZERO;
        sums.products.fill(Own::ZERO);
        // As many sums at a time as the registers hold: 16 of the 32 where a line is one vector (AVX-512), else 8.
        let most = if vectors::<S, T>() == 1 { ROWS } else { 2 };
        let mut i = 0;
        while i < n0 {
            let rows = most.min(n0 - i);
            match rows {
                4 => self.rows::<S, T, 4>(s, i, parts, y, f, sums),
                3 => self.rows::<S, T, 3>(s, i, parts, y, f, sums),
                2 => self.rows::<S, T, 2>(s, i, parts, y, f, sums),
                _ => self.rows::<S, T, 1>(s, i, parts, y, f, sums),
            }
            i += rows;
        }
        gram::<S, T>(s, parts.factors[0], n0, &mut sums.grams[0]);
        gram::<S, T>(s, parts.factors[1], n1, &mut sums.grams[1]);
        self.combine::<S, T>(s, parts.coefficients, sums);
    }

    /// What rows i .. i + A add to the sums.
    #[inline(always)]
    fn rows<S: Simd, T: Real, const A: usize>(
        &self,
        s: S,
        i: usize,
        parts: &Parts<T>,
        y: &[T::Line],
        f: &mut [T::Line],
        sums: &mut Sums<T>,
    ) {
        let ([u, v], n) = (parts.factors, self.sizes[1]);
        let Sums { across, rss, contracted, products, .. } = sums;
        let mut constant = [T::ZERO_LINE; A];
        for a in 0..A {
            constant[a] = across_at::<S, T>(s, &self.constant, u, i + a, parts.coefficients);
            for (factor, (_, terms)) in across.iter_mut().zip(&self.across) {
                factor[a] = Own(across_at::<S, T>(s, terms, u, i + a, parts.coefficients));
            }
        }
        let y = &y[i * n..(i + A) * n];
        let mut f: [&mut [T::Line]; A] = split::<_, A>(&mut f[..A * n], n);
        let (terms, last) = self.across.split_at(self.across.len().saturating_sub(1));
        for (k, (l, _)) in terms.iter().enumerate() {
            for a in 0..A {
                for (f, v) in f[a].iter_mut().zip(&v[*l][..n]) {
                    if k == 0 {
                        *f = constant[a];
                    }
                    add_product::<S, T>(s, f, &across[k][a], v);
                }
            }
        }
        let squares = match last {
            [(l, _)] if terms.is_empty() => {
                residuals::<S, T, A, false>(s, &constant, &across[0], &v[*l][..n], y, &mut f)
            }
            [(l, _)] => {
                residuals::<S, T, A, true>(s, &constant, &across[terms.len()], &v[*l][..n], y, &mut f)
            }
            _ => residuals::<S, T, A, false>(s, &constant, &[Own::ZERO; ROWS], &v[0][..n], y, &mut f),
        };
        let mut rows: [&[T::Line]; A] = [&[]; A];
        for a in 0..A {
            rows[a] = &*f[a];
            for part in 0..vectors::<S, T>() {
                let sum = T::sum(s, load::<S, T>(rss, part), load::<S, T>(&squares[a], part));
                store::<S, T>(&mut rss.0, part, sum);
            }
        }
        contract::<S, T, A>(s, rows, v, n, contracted);
        for (sum, &[k, l]) in products.iter_mut().zip(&self.products) {
            for a in 0..A {
                add_product::<S, T>(s, &mut sum.0, &u[k][i + a], &contracted[l][a]);
            }
        }
    }

    /// J'J and J'r from the sums over products.
    #[inline(always)]
    fn combine<S: Simd, T: Real>(&self, s: S, coefficients: &[T::Line], sums: &mut Sums<T>) {
        let Sums { matrix, gradient, grams: [g0, g1], products, .. } = sums;
        for (sum, terms) in gradient.iter_mut().zip(&self.outputs[1..]) {
            sum.0 = T::ZERO_LINE;
            for &(t, c) in terms {
                add_product::<S, T>(s, &mut sum.0, &coefficients[c], &products[t]);
            }
        }
        for (sum, terms) in matrix.iter_mut().zip(&self.entries) {
            for part in 0..vectors::<S, T>() {
                let mut total = T::splat(s, T::default());
                for &Entry { coefficients: [c, d], places: [k, l] } in terms {
                    let both = T::product(s, load::<S, T>(&g0[k], part), load::<S, T>(&g1[l], part));
                    let (c, d) = (load::<S, T>(&coefficients[c], part), load::<S, T>(&coefficients[d], part));
                    total = T::ma(s, T::product(s, c, d), both, total);
                }
                store::<S, T>(&mut sum.0, part, total);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Level;
    use pulp::WithSimd;

    /// Numbers in -1..1 that look random.
    fn noise(k: usize) -> f64 {
        let bits = (k as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((bits ^ (bits >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn factor(axis: usize, k: usize, i: usize, lane: usize) -> f64 {
        if axis == 1 && k == 1 { 1.0 } else { noise(((axis * 8 + k) * 64 + i) * 32 + lane) }
    }

    fn coefficient(c: usize, lane: usize) -> f64 {
        1.0 + noise(70_000 + c * 32 + lane)
    }

    fn datum(point: usize, lane: usize) -> f64 {
        noise(90_000 + point * 32 + lane)
    }

    fn plan(sizes: [usize; 2], n_factors: [usize; 2], outputs: &[&[(usize, usize)]]) -> Plan {
        let products = vec![[0, 0], [1, 1], [2, 0], [0, 2], [2, 2], [1, 0]];
        Plan::new(sizes, n_factors, products, outputs.iter().map(|o| o.to_vec()).collect(), Some(1))
    }

    fn plans() -> Vec<Plan> {
        let spot: &[&[(usize, usize)]] = &[&[(0, 0), (1, 1)], &[(0, 2)], &[(2, 3), (3, 0)], &[(1, 2)]];
        let several: &[&[(usize, usize)]] =
            &[&[(0, 0), (3, 1), (5, 2), (1, 3)], &[(4, 1)], &[(0, 0), (1, 3)]];
        let flat: &[&[(usize, usize)]] = &[&[(1, 0)], &[(1, 1)]];
        let none: &[&[(usize, usize)]] = &[&[], &[(0, 1)]];
        let mut plans = Vec::new();
        for sizes in [[15, 15], [1, 9], [8, 1], [6, 5], [7, 2], [2, 13], [3, 3]] {
            plans.extend([spot, several, flat, none].map(|outputs| plan(sizes, [3, 3], outputs)));
        }
        plans.push(plan([5, 7], [4, 5], spot)); // factors that no product uses
        plans
    }

    /// Sums of one fit, point by point.
    fn directly(plan: &Plan, lane: usize) -> (Vec<f64>, Vec<f64>, f64) {
        let p = plan.n_params();
        let (mut matrix, mut gradient, mut rss) = (vec![0.0; p * (p + 1) / 2], vec![0.0; p], 0.0);
        for i in 0..plan.sizes[0] {
            for j in 0..plan.sizes[1] {
                let value = |terms: &Vec<(usize, usize)>| -> f64 {
                    let term = |&(t, c): &(usize, usize)| {
                        let [k, l] = plan.products[t];
                        coefficient(c, lane) * factor(0, k, i, lane) * factor(1, l, j, lane)
                    };
                    terms.iter().map(term).sum()
                };
                let r = value(&plan.outputs[0]) - datum(i * plan.sizes[1] + j, lane);
                rss += r * r;
                for a in 0..p {
                    let slope = value(&plan.outputs[a + 1]);
                    gradient[a] += slope * r;
                    for b in 0..=a {
                        matrix[triangle(a) + b] += slope * value(&plan.outputs[b + 1]);
                    }
                }
            }
        }
        (matrix, gradient, rss)
    }

    struct Check<'a>(&'a Plan);

    impl WithSimd for Check<'_> {
        type Output = ();
        fn with_simd<S: Simd>(self, s: S) {
            check::<S, f64>(s, self.0);
            check::<S, f32>(s, self.0);
        }
    }

    fn check<S: Simd, T: Real>(s: S, plan: &Plan) {
        let line = |value: &dyn Fn(usize) -> f64| -> T::Line {
            let mut line = T::ZERO_LINE;
            line.as_mut().iter_mut().enumerate().for_each(|(lane, to)| *to = T::of(value(lane)));
            line
        };
        let table = |axis: usize| -> Vec<Vec<T::Line>> {
            let column = |k| (0..plan.sizes[axis]).map(|i| line(&|lane| factor(axis, k, i, lane))).collect();
            (0..plan.n_factors[axis]).map(column).collect()
        };
        let (u, v) = (table(0), table(1));
        let (u, v): (Vec<_>, Vec<_>) =
            (u.iter().map(|u| &u[..]).collect(), v.iter().map(|v| &v[..]).collect());
        let coefficients: Vec<_> = (0..4).map(|c| line(&|lane| coefficient(c, lane))).collect();
        let n = plan.sizes[0] * plan.sizes[1];
        let y: Vec<_> = (0..n).map(|i| line(&|lane| datum(i, lane))).collect();
        let mut f = vec![line(&|_| f64::NAN); ROWS * plan.sizes[1]];
        let mut sums = Sums::<T>::new(plan);
        plan.sum::<S, T>(s, &Parts { factors: [&u, &v], coefficients: &coefficients }, &y, &mut f, &mut sums);
        for lane in 0..T::LINE {
            let (matrix, gradient, rss) = directly(plan, lane);
            let near = |found: &T::Line, expected: f64, size: f64| {
                let found = found.as_ref()[lane].double();
                assert!(
                    (found - expected).abs() <= 45.0 * T::EPSILON * size,
                    "{found} {expected} {:?}",
                    plan.sizes
                );
            };
            let size = 10.0 * (n as f64);
            near(&sums.rss, rss, size);
            (0..gradient.len()).for_each(|a| near(&sums.gradient[a], gradient[a], size));
            (0..matrix.len()).for_each(|a| near(&sums.matrix[a], matrix[a], size));
        }
    }

    #[test]
    fn sums_over_products_are_those_over_points() {
        for level in ["baseline", "avx2", "avx512"].into_iter().filter_map(Level::named) {
            for plan in plans() {
                level.run(Check(&plan));
            }
        }
    }
}
