//! The methods: which step, in which scaling, limited by what. One row each; nothing else knows their names.

use super::control::{Backtracking, Control, Factors, Free, Nielsen, Radius};
use super::options::{Damping, Method, Options, Scaling};
use super::rules::StepRule;

/// Which quadratic model of rss the steps are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Models {
    /// J'J.
    GaussNewton,
    /// J'J + sum f_i H_i.
    Newton,
    /// Whichever of the two predicted the last reduction better (as in NL2SOL).
    Either,
}

pub struct Strategy {
    pub scaling: Scaling,
    pub rule: StepRule,
    pub control: Box<dyn Control>,
    pub models: Models,
    pub accelerate: bool,
    /// Refine the end by undamped steps judged on the gradient.
    pub polish: bool,
    /// Leave a saddle along its negative curvature and go on.
    pub escape: bool,
}

impl Strategy {
    pub fn of(options: &Options) -> Self {
        let factor = options.radius_factor;
        let row = match options.method {
            Method::Auto => Strategy {
                models: if options.newton { Models::Either } else { Models::GaussNewton },
                accelerate: true,
                escape: true,
                ..region(Scaling::Magnitude, factor.unwrap_or(1.0))
            },
            Method::Newton => Strategy {
                models: Models::Newton,
                escape: true,
                ..region(Scaling::Magnitude, factor.unwrap_or(1.0))
            },
            Method::More => region(Scaling::RunningMax, factor.unwrap_or(100.0)),
            Method::Dogleg => {
                Strategy { rule: StepRule::DOGLEG, ..region(Scaling::RunningMax, factor.unwrap_or(1.0)) }
            }
            Method::Levenberg => damped(Scaling::Identity, options.damping),
            Method::Marquardt => damped(Scaling::Columns, options.damping),
            Method::GaussNewton => Strategy {
                rule: StepRule::WHOLE,
                control: Box::new(Free),
                polish: false,
                ..region(Scaling::Identity, 1.0)
            },
            Method::GradientDescent => Strategy {
                rule: StepRule::CAUCHY,
                control: Box::new(Backtracking::default()),
                polish: false,
                ..region(Scaling::Identity, 1.0)
            },
        };
        Strategy {
            scaling: options.scaling.unwrap_or(row.scaling),
            accelerate: options.acceleration.unwrap_or(row.accelerate) && row.rule.damped,
            polish: options.polish && row.polish,
            ..row
        }
    }
}

/// Moré's trust region of the linear model.
fn region(scaling: Scaling, factor: f64) -> Strategy {
    Strategy {
        scaling,
        rule: StepRule::REGION,
        control: Box::new(Radius::new(factor)),
        models: Models::GaussNewton,
        accelerate: false,
        polish: true,
        escape: false,
    }
}

/// (J'J + damping D^2) v = -J'f, the damping by a rule of its own.
fn damped(scaling: Scaling, damping: Damping) -> Strategy {
    let control: Box<dyn Control> = match damping {
        Damping::Nielsen => Box::new(Nielsen::default()),
        Damping::Classic => Box::new(Factors::CLASSIC),
        Damping::Delayed => Box::new(Factors::DELAYED),
    };
    Strategy { rule: StepRule::DAMPED, control, ..region(scaling, 1.0) }
}
