//! What the caller may choose.

/// How steps are made; the table is in `method.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Auto,
    GaussNewton,
    GradientDescent,
    Levenberg,
    Marquardt,
    More,
    Dogleg,
    Newton,
}

/// How the damping of `Levenberg` and `Marquardt` follows the gain ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damping {
    Nielsen,
    Classic,
    Delayed,
}

/// Parameter scaling D: of the trust region |D v| <= radius, or of J'J + damping D^2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// d_j = 1 / s_j, s_j the running maximum of |x_j|: for models with exact second derivatives.
    Magnitude,
    /// d_j = sqrt(cm_j^2 + (0.1 |f0| / s_j)^2), cm_j the running maximum of the column norm |J_j|.
    Mix,
    /// d_j = cm_j (Moré 1978).
    RunningMax,
    /// d_j = |J_j| now (Marquardt 1963).
    Columns,
    /// d_j = 1 (Levenberg 1944).
    Identity,
}

/// Options of the minimizer; the formulas stand with the fields of `marquardt.Options`.
#[derive(Clone, Debug)]
pub struct Options {
    pub method: Method,
    pub damping: Damping,
    /// Converged where the relative offset |Q1'f| / |Q2'f| is at most this.
    pub tolerance: f64,
    /// Most Jacobian evaluations; `None`: 100 (n + 1). Residual evaluations: four times as many.
    pub max_evaluations: Option<usize>,
    /// Refine the end point by undamped steps accepted on the gradient.
    pub polish: bool,
    /// Add half the geodesic acceleration to the step; `None`: as the method does.
    pub acceleration: Option<bool>,
    /// Let `Auto` use the exact Hessian where it predicts better than Gauss-Newton, up to 32 parameters.
    pub newton: bool,
    /// `None`: the method's.
    pub scaling: Option<Scaling>,
    /// First radius = radius_factor |D s|, s_j = |x_j| (a substitute where x_j = 0); `None`: the method's.
    pub radius_factor: Option<f64>,
    /// Begin again, more carefully, where a search stalls or runs away.
    pub retry: bool,
    /// Keep one `Row` per trial step.
    pub trace: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            method: Method::Auto,
            damping: Damping::Nielsen,
            tolerance: 1e-8,
            max_evaluations: None,
            polish: true,
            acceleration: None,
            newton: true,
            scaling: None,
            radius_factor: None,
            retry: false,
            trace: true,
        }
    }
}
