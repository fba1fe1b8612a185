//! Which instruction set the kernels run with.

use std::sync::OnceLock;

use pulp::{Arch, Simd, WithSimd};

/// An instruction set this machine has; it cannot be made for one it lacks.
#[derive(Clone, Copy, Debug)]
pub struct Level(Arch);

impl Level {
    /// The best level of this machine, or the lower one named by `MARQUARDT_CPU`; looked up once.
    pub fn best() -> Level {
        static BEST: OnceLock<Level> = OnceLock::new();
        *BEST.get_or_init(|| {
            let wanted = std::env::var("MARQUARDT_CPU").ok();
            wanted.and_then(|name| Level::named(&name)).unwrap_or(Level(Arch::new()))
        })
    }

    /// "baseline", "avx2" or "avx512"; `None` when the name is unknown or the machine lacks it.
    pub fn named(name: &str) -> Option<Level> {
        match name {
            "baseline" => Some(Level(baseline())),
            #[cfg(target_arch = "x86_64")]
            "avx2" => pulp::x86::V3::try_new().map(|token| Level(Arch::V3(token))),
            #[cfg(target_arch = "x86_64")]
            "avx512" => pulp::x86::V4::try_new().map(|token| Level(Arch::V4(token))),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        #[cfg(target_arch = "x86_64")]
        match self.0 {
            Arch::V4(_) => return "avx512",
            Arch::V3(_) => return "avx2",
            _ => (),
        }
        "baseline"
    }

    /// Runs a task compiled for this level.
    #[inline(always)]
    pub(crate) fn run<T: WithSimd>(self, task: T) -> T::Output {
        self.0.dispatch(task)
    }
}

#[cfg(target_arch = "x86_64")]
fn baseline() -> Arch {
    Arch::Scalar
}

/// Elsewhere (NEON) the baseline is what the target always has.
#[cfg(not(target_arch = "x86_64"))]
fn baseline() -> Arch {
    Arch::new()
}

/// Whether code compiled for `S` has fused multiply-add: without the instruction it is a slow library call.
pub(crate) const fn has_fma<S: Simd>() -> bool {
    !S::IS_SCALAR || BASE_FMA
}

/// Whether the baseline of this target has it.
pub(crate) const BASE_FMA: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));
