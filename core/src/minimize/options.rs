//! What the caller may choose.

/// Parameter scaling D of the trust region |D v| <= radius.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// d_j = 1 / s_j, s_j the running maximum of |x_j|: for models with exact second derivatives.
    Magnitude,
    /// d_j = sqrt(cm_j^2 + (0.1 |f0| / s_j)^2), cm_j the running maximum of the column norm |J_j|.
    Mix,
}

/// Options of the minimizer; the formulas stand with the fields of `marquardt.Options`.
#[derive(Clone, Debug)]
pub struct Options {
    /// Converged where the relative offset |Q1'f| / |Q2'f| is at most this.
    pub tolerance: f64,
    /// Most Jacobian evaluations; `None`: 100 (n + 1). Residual evaluations: four times as many.
    pub max_evaluations: Option<usize>,
    /// Refine the end point by undamped steps accepted on the gradient.
    pub polish: bool,
    /// Add half the geodesic acceleration to the step where second directional derivatives exist.
    pub acceleration: bool,
    /// Use the exact Hessian where it predicts better than Gauss-Newton, up to 32 parameters.
    pub newton: bool,
    pub scaling: Scaling,
    /// First radius = radius_factor |D s|, s_j = |x_j| (a substitute where x_j = 0).
    pub radius_factor: f64,
    /// Keep one `Row` per trial step.
    pub trace: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            tolerance: 1e-8,
            max_evaluations: None,
            polish: true,
            acceleration: true,
            newton: true,
            scaling: Scaling::Magnitude,
            radius_factor: 1.0,
            trace: true,
        }
    }
}
