//! The engine room of marquardt: it evaluates models, solves dense systems and minimizes.
//! It knows nothing of Python; `core/bind` translates.

pub mod batch;
pub mod cost;
pub mod covariance;
pub mod evaluate;
pub mod large;
pub mod likelihood;
pub mod linear;
pub mod loss;
pub mod minimize;
pub mod tape;
mod threads;
