//! `marquardt._core`: converts arrays and errors, does no arithmetic.

mod arrays;
mod batch;
mod callback;
mod curve;
mod grid;
mod large;
mod loss;
mod many;
mod options;
mod outcome;
mod penalty;
mod run;
mod series;
mod sparse;
mod stream;
mod tape;

use pyo3::prelude::*;

#[pymodule]
fn _core(m: &Bound<'_, PyModule>) -> PyResult<()> {
    arrays::look_up_numpy(m.py())?;
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    m.add_class::<tape::Tape>()?;
    m.add_class::<curve::Programs>()?;
    m.add_class::<grid::Grid>()?;
    m.add_class::<large::Structure>()?;
    m.add_class::<large::System>()?;
    m.add_class::<sparse::Normal>()?;
    m.add_class::<options::Options>()?;
    m.add_class::<outcome::Outcome>()?;
    m.add_function(wrap_pyfunction!(tape::opcodes, m)?)?;
    m.add_function(wrap_pyfunction!(tape::cpu_level, m)?)?;
    m.add_function(wrap_pyfunction!(curve::all_finite, m)?)?;
    m.add_function(wrap_pyfunction!(curve::first_difference, m)?)?;
    m.add_function(wrap_pyfunction!(loss::loss_values, m)?)?;
    m.add_function(wrap_pyfunction!(curve::minimize_curve, m)?)?;
    m.add_function(wrap_pyfunction!(series::finite_series, m)?)?;
    m.add_function(wrap_pyfunction!(stream::minimize_stream, m)?)?;
    m.add_function(wrap_pyfunction!(stream::minimize_sums, m)?)?;
    m.add_function(wrap_pyfunction!(stream::sum_block, m)?)?;
    m.add_function(wrap_pyfunction!(stream::add_sums, m)?)?;
    m.add_function(wrap_pyfunction!(many::minimize_curve_many, m)?)?;
    m.add_function(wrap_pyfunction!(batch::fit_lanes, m)?)?;
    m.add_function(wrap_pyfunction!(batch::fit_each, m)?)?;
    m.add_function(wrap_pyfunction!(callback::minimize_callback, m)?)
}
