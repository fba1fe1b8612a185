//! A model that is a sum of products of one-axis factors, on a grid: a group of fits at once.
//!
//! With J = Phi C, where the columns of Phi are products u(x) v(y) and C holds parameter-only coefficients, J'J is
//! C' (Phi'Phi) C, and an entry of Phi'Phi is (sum_x u u') (sum_y v v'). The residuals themselves are formed at every
//! point, from the products: |y|^2 - 2 y'f + |f|^2 would lose the digits that the end of a fit is judged by. J'r is
//! their contraction with the factors, first along rows, then across them.

use pulp::Simd;

pub(crate) use super::moments::ROWS;
use super::moments::{contract, gram};
use super::plan::{Entry, Plan};
use super::real::{Own, Real};

/// Where the sums of a group of fits are collected.
pub(crate) struct Sums<R: Real> {
    /// Lower triangle of J'J, row by row.
    pub matrix: Vec<Own<R::Line>>,
    pub gradient: Vec<Own<R::Line>>,
    pub rss: Own<R::Line>,
    grams: [Vec<Own<R::Line>>; 2],
    products: Vec<Own<R::Line>>,
    contracted: Vec<[Own<R::Line>; ROWS]>,
    across: Vec<[Own<R::Line>; ROWS]>,
}

pub(crate) const fn triangle(n: usize) -> usize {
    n * (n + 1) / 2
}

impl<R: Real> Sums<R> {
    pub(crate) fn new(plan: &Plan) -> Sums<R> {
        let lines = |n: usize| vec![Own(R::ZERO); n];
        let [k0, k1] = plan.n_factors;
        Sums {
            matrix: lines(triangle(plan.n_params())),
            gradient: lines(plan.n_params()),
            rss: Own(R::ZERO),
            grams: [lines(k0 * k0), lines(k1 * k1)],
            products: lines(plan.products.len()),
            contracted: vec![[Own(R::ZERO); ROWS]; k1],
            across: vec![[Own(R::ZERO); ROWS]; plan.across.len()],
        }
    }
}

/// a += b c
#[inline(always)]
fn add_product<S: Simd, R: Real>(s: S, a: &mut R::Line, b: &R::Line, c: &R::Line) {
    for part in 0..R::parts::<S>() {
        let sum = R::ma(s, R::load::<S>(b, part), R::load::<S>(c, part), R::load::<S>(a, part));
        R::store::<S>(a, part, sum);
    }
}

/// The factors of both axes and the coefficients of a group of fits.
pub(crate) struct Parts<'a, R: Real> {
    pub factors: [&'a [&'a [R::Line]]; 2],
    pub coefficients: &'a [R::Line],
}

/// A rows of n.
#[inline(always)]
fn split<T, const A: usize>(mut x: &mut [T], n: usize) -> [&mut [T]; A] {
    let mut out: [&mut [T]; A] = std::array::from_fn(|_| &mut [] as &mut [_]);
    for a in 0..A {
        let (row, rest) = x.split_at_mut(n);
        out[a] = row;
        x = rest;
    }
    out
}

/// f = start + factor * v - y for A rows, the start in `f` itself where `SUM`; and the sums of its squares.
#[inline(always)]
fn residuals<S: Simd, R: Real, const A: usize, const SUM: bool>(
    s: S,
    start: &[R::Line; A],
    factor: &[Own<R::Line>; ROWS],
    v: &[R::Line],
    y: &[R::Line],
    f: &mut [&mut [R::Line]; A],
) -> [R::Line; A] {
    let n = v.len();
    let mut squares = [R::ZERO; A];
    let mut y_rows: [&[R::Line]; A] = [&[]; A];
    for a in 0..A {
        y_rows[a] = &y[a * n..][..n];
        f[a] = &mut std::mem::take(&mut f[a])[..n];
    }
    for part in 0..R::parts::<S>() {
        let mut sums = [R::splat(s, 0.0); A];
        for j in 0..n {
            for a in 0..A {
                let start = R::load::<S>(if SUM { &f[a][j] } else { &start[a] }, part);
                let model = R::ma(s, R::load::<S>(&factor[a], part), R::load::<S>(&v[j], part), start);
                let r = R::sub(s, model, R::load::<S>(&y_rows[a][j], part));
                R::store::<S>(&mut f[a][j], part, r);
                sums[a] = R::ma(s, r, r, sums[a]);
            }
        }
        for a in 0..A {
            R::store::<S>(&mut squares[a], part, sums[a]);
        }
    }
    squares
}

/// The part of the model in row `i` that goes with one factor of the second axis.
#[inline(always)]
fn across_at<S: Simd, R: Real>(
    s: S,
    terms: &[(usize, usize)],
    u: &[&[R::Line]],
    i: usize,
    coefficients: &[R::Line],
) -> R::Line {
    let mut sum = R::ZERO;
    for &(k, c) in terms {
        add_product::<S, R>(s, &mut sum, &u[k][i], &coefficients[c]);
    }
    sum
}

impl Plan {
    /// All sums; `f` is room for the residuals model - y of `ROWS` rows.
    #[inline(always)]
    pub(crate) fn sum<S: Simd, R: Real>(
        &self,
        s: S,
        parts: &Parts<R>,
        y: &[R::Line],
        f: &mut [R::Line],
        sums: &mut Sums<R>,
    ) {
        let [n0, n1] = self.sizes;
        sums.rss = Own(R::ZERO);
        sums.products.fill(Own(R::ZERO));
        // As many sums at a time as the registers hold: 16 of the 32 where a line is one vector (AVX-512), else 8.
        let most = if R::parts::<S>() == 1 { ROWS } else { 2 };
        let mut i = 0;
        while i < n0 {
            let rows = most.min(n0 - i);
            match rows {
                4 => self.rows::<S, R, 4>(s, i, parts, y, f, sums),
                3 => self.rows::<S, R, 3>(s, i, parts, y, f, sums),
                2 => self.rows::<S, R, 2>(s, i, parts, y, f, sums),
                _ => self.rows::<S, R, 1>(s, i, parts, y, f, sums),
            }
            i += rows;
        }
        gram::<S, R>(s, parts.factors[0], n0, &mut sums.grams[0]);
        gram::<S, R>(s, parts.factors[1], n1, &mut sums.grams[1]);
        self.combine::<S, R>(s, parts.coefficients, sums);
    }

    /// What rows i .. i + A add to the sums.
    #[inline(always)]
    fn rows<S: Simd, R: Real, const A: usize>(
        &self,
        s: S,
        i: usize,
        parts: &Parts<R>,
        y: &[R::Line],
        f: &mut [R::Line],
        sums: &mut Sums<R>,
    ) {
        let ([u, v], n) = (parts.factors, self.sizes[1]);
        let Sums { across, rss, contracted, products, .. } = sums;
        let mut constant = [R::ZERO; A];
        for a in 0..A {
            constant[a] = across_at::<S, R>(s, &self.constant, u, i + a, parts.coefficients);
            for (factor, (_, terms)) in across.iter_mut().zip(&self.across) {
                factor[a] = Own(across_at::<S, R>(s, terms, u, i + a, parts.coefficients));
            }
        }
        let y = &y[i * n..(i + A) * n];
        let mut f: [&mut [R::Line]; A] = split::<_, A>(&mut f[..A * n], n);
        let (terms, last) = self.across.split_at(self.across.len().saturating_sub(1));
        for (k, (l, _)) in terms.iter().enumerate() {
            for a in 0..A {
                for (f, v) in f[a].iter_mut().zip(&v[*l][..n]) {
                    if k == 0 {
                        *f = constant[a];
                    }
                    add_product::<S, R>(s, f, &across[k][a], v);
                }
            }
        }
        let squares = match last {
            [(l, _)] if terms.is_empty() => {
                residuals::<S, R, A, false>(s, &constant, &across[0], &v[*l][..n], y, &mut f)
            }
            [(l, _)] => {
                residuals::<S, R, A, true>(s, &constant, &across[terms.len()], &v[*l][..n], y, &mut f)
            }
            _ => residuals::<S, R, A, false>(s, &constant, &[Own(R::ZERO); ROWS], &v[0][..n], y, &mut f),
        };
        let mut rows: [&[R::Line]; A] = [&[]; A];
        for a in 0..A {
            rows[a] = &*f[a];
            for part in 0..R::parts::<S>() {
                let sum = R::add(s, R::load::<S>(rss, part), R::load::<S>(&squares[a], part));
                R::store::<S>(&mut rss.0, part, sum);
            }
        }
        contract::<S, R, A>(s, rows, v, n, contracted);
        for (sum, &[k, l]) in products.iter_mut().zip(&self.products) {
            for a in 0..A {
                add_product::<S, R>(s, &mut sum.0, &u[k][i + a], &contracted[l][a]);
            }
        }
    }

    /// J'J and J'r from the sums over products.
    #[inline(always)]
    fn combine<S: Simd, R: Real>(&self, s: S, coefficients: &[R::Line], sums: &mut Sums<R>) {
        let Sums { matrix, gradient, grams: [g0, g1], products, .. } = sums;
        for (sum, terms) in gradient.iter_mut().zip(&self.outputs[1..]) {
            sum.0 = R::ZERO;
            for &(t, c) in terms {
                add_product::<S, R>(s, &mut sum.0, &coefficients[c], &products[t]);
            }
        }
        for (sum, terms) in matrix.iter_mut().zip(&self.entries) {
            for part in 0..R::parts::<S>() {
                let mut total = R::splat(s, 0.0);
                for &Entry { coefficients: [c, d], places: [k, l] } in terms {
                    let both = R::mul(s, R::load::<S>(&g0[k], part), R::load::<S>(&g1[l], part));
                    let (c, d) = (R::load::<S>(&coefficients[c], part), R::load::<S>(&coefficients[d], part));
                    total = R::ma(s, R::mul(s, c, d), both, total);
                }
                R::store::<S>(&mut sum.0, part, total);
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
        if axis == 1 && k == 1 { 1.0 } else { noise(((axis * 8 + k) * 64 + i) * 16 + lane) }
    }

    fn coefficient(c: usize, lane: usize) -> f64 {
        1.0 + noise(70_000 + c * 16 + lane)
    }

    fn datum(point: usize, lane: usize) -> f64 {
        noise(90_000 + point * 16 + lane)
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

    struct Check<'a, R>(&'a Plan, f64, std::marker::PhantomData<R>);

    impl<R: Real> WithSimd for Check<'_, R> {
        type Output = ();
        fn with_simd<S: Simd>(self, s: S) {
            check::<S, R>(s, self.0, self.1);
        }
    }

    fn check<S: Simd, R: Real>(s: S, plan: &Plan, bound: f64) {
        let line = |value: &dyn Fn(usize) -> f64| R::from_fn(&|lane| value(lane));
        let table = |axis: usize| -> Vec<Vec<R::Line>> {
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
        let mut sums = Sums::new(plan);
        plan.sum::<S, R>(s, &Parts { factors: [&u, &v], coefficients: &coefficients }, &y, &mut f, &mut sums);
        for lane in 0..R::to_f64(&R::ZERO).len() {
            let (matrix, gradient, rss) = directly(plan, lane);
            let near = |found: &R::Line, expected: f64, size: f64| {
                let found = R::to_f64(found)[lane];
                assert!((found - expected).abs() <= bound * size, "{found} {expected} {:?}", plan.sizes);
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
                level.run(Check::<f64>(&plan, 1e-14, Default::default()));
                level.run(Check::<f32>(&plan, 1e-5, Default::default()));
            }
        }
    }
}
