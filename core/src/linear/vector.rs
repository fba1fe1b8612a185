//! Passes over a few columns with explicit vectors: register tiles of many sums are where leaving the
//! vectorizing to the compiler proved fragile.

use pulp::Simd;

#[inline(always)]
fn ma<S: Simd, const F: bool>(s: S, a: S::f64s, b: S::f64s, c: S::f64s) -> S::f64s {
    if F { s.mul_add_e_f64s(a, b, c) } else { s.add_f64s(s.mul_f64s(a, b), c) }
}

#[inline(always)]
pub(crate) fn scalar_ma<const F: bool>(a: f64, b: f64, c: f64) -> f64 {
    if F { a.mul_add(b, c) } else { a * b + c }
}

/// Whole vectors and the rest of each column. (Loops, not `map`: a closure that is not inlined would run without
/// the instruction set of its caller.)
#[inline(always)]
fn split<S: Simd, const A: usize>(x: [&[f64]; A]) -> ([&[S::f64s]; A], [&[f64]; A]) {
    let (mut heads, mut tails) = ([&[][..]; A], [&[][..]; A]);
    for i in 0..A {
        (heads[i], tails[i]) = S::as_simd_f64s(x[i]);
    }
    (heads, tails)
}

/// The columns cut to n vectors: the compiler then knows that they are equally long.
#[inline(always)]
fn first<S: Simd, const A: usize>(mut x: [&[S::f64s]; A], n: usize) -> [&[S::f64s]; A] {
    for x in &mut x {
        *x = &x[..n];
    }
    x
}

/// All dot products of the columns `a` with the columns `b`, in one pass. The order of the sums depends on the
/// length and the level only.
#[inline(always)]
pub(crate) fn dots<S: Simd, const F: bool, const A: usize, const B: usize>(
    s: S,
    a: [&[f64]; A],
    b: [&[f64]; B],
) -> [[f64; B]; A] {
    let (av, at) = split::<S, A>(a);
    let (bv, bt) = split::<S, B>(b);
    let n = av[0].len();
    let (av, bv) = (first::<S, A>(av, n), first::<S, B>(bv, n));
    let mut sums = [[s.splat_f64s(0.0); B]; A];
    // few sums wait for one another: twice as many hide it
    let even = if A * B <= 4 { n - n % 2 } else { 0 };
    let mut other = sums;
    for k in (0..even).step_by(2) {
        for i in 0..A {
            for j in 0..B {
                sums[i][j] = ma::<S, F>(s, av[i][k], bv[j][k], sums[i][j]);
                other[i][j] = ma::<S, F>(s, av[i][k + 1], bv[j][k + 1], other[i][j]);
            }
        }
    }
    for k in even..n {
        for i in 0..A {
            for j in 0..B {
                sums[i][j] = ma::<S, F>(s, av[i][k], bv[j][k], sums[i][j]);
            }
        }
    }
    let mut out = [[0.0; B]; A];
    for i in 0..A {
        for j in 0..B {
            let sum = if A * B <= 4 { s.add_f64s(sums[i][j], other[i][j]) } else { sums[i][j] };
            out[i][j] = s.reduce_sum_f64s(sum);
            for (&x, &y) in at[i].iter().zip(bt[j]) {
                out[i][j] = scalar_ma::<F>(x, y, out[i][j]);
            }
        }
    }
    out
}

/// c_j -= sum_i v_i y[i][j] for all columns c_j.
#[inline(always)]
pub(crate) fn subtract<S: Simd, const F: bool, const A: usize, const B: usize>(
    s: S,
    v: [&[f64]; A],
    y: [[f64; B]; A],
    c: [&mut [f64]; B],
) {
    let (vv, vt) = split::<S, A>(v);
    let n = vv[0].len();
    let vv = first::<S, A>(vv, n);
    let mut m = [[s.splat_f64s(0.0); B]; A];
    for i in 0..A {
        for j in 0..B {
            m[i][j] = s.splat_f64s(-y[i][j]);
        }
    }
    let mut heads: [&mut [S::f64s]; B] = std::array::from_fn(|_| &mut [] as &mut [_]);
    let mut tails: [&mut [f64]; B] = std::array::from_fn(|_| &mut [] as &mut [_]);
    for (j, c) in c.into_iter().enumerate() {
        let (head, tail) = S::as_mut_simd_f64s(c);
        (heads[j], tails[j]) = (&mut head[..n], tail);
    }
    for k in 0..n {
        for j in 0..B {
            let mut sum = heads[j][k];
            for i in 0..A {
                sum = ma::<S, F>(s, vv[i][k], m[i][j], sum);
            }
            heads[j][k] = sum;
        }
    }
    for j in 0..B {
        for (k, c) in tails[j].iter_mut().enumerate() {
            for i in 0..A {
                *c = scalar_ma::<F>(vt[i][k], -y[i][j], *c);
            }
        }
    }
}

/// (sum a_j f, sum |a_j| m) for the columns a_j, in one pass.
#[inline(always)]
pub(crate) fn weighted_sums<S: Simd, const F: bool, const A: usize>(
    s: S,
    a: [&[f64]; A],
    f: &[f64],
    m: &[f64],
) -> [(f64, f64); A] {
    let (av, at) = split::<S, A>(a);
    let (f, m) = (S::as_simd_f64s(f), S::as_simd_f64s(m));
    let n = f.0.len();
    let (av, mv) = (first::<S, A>(av, n), &m.0[..n]);
    let mut sums = [(s.splat_f64s(0.0), s.splat_f64s(0.0)); A];
    for k in 0..n {
        for i in 0..A {
            sums[i].0 = ma::<S, F>(s, av[i][k], f.0[k], sums[i].0);
            sums[i].1 = ma::<S, F>(s, s.abs_f64s(av[i][k]), mv[k], sums[i].1);
        }
    }
    let mut out = [(0.0, 0.0); A];
    for i in 0..A {
        out[i] = (s.reduce_sum_f64s(sums[i].0), s.reduce_sum_f64s(sums[i].1));
        for (k, &x) in at[i].iter().enumerate() {
            out[i].0 = scalar_ma::<F>(x, f.1[k], out[i].0);
            out[i].1 = scalar_ma::<F>(x.abs(), m.1[k], out[i].1);
        }
    }
    out
}
