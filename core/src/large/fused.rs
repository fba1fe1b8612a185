//! Multiply and add, fused where the instruction set has it.
//!
//! Only in code that is inlined into `with_simd`: a closure that is not calls a library function instead (2.3 ms for 0.9).

#[inline(always)]
pub fn fma<const F: bool>(a: f64, b: f64, c: f64) -> f64 {
    if F { a.mul_add(b, c) } else { a * b + c }
}
