"""Pictures of the dance: what they show is what the trace says, and ranges are sensible by themselves."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad

import marquardt as mq
from marquardt.datasets import mgh, michaelis_menten, nist
from marquardt.report.dance import evaluated, evaluations, moves, path, refused, ring, steps_of, telling
from marquardt.report.landscape import chosen, cost_at, extent, landscape, near

METHODS = ("auto", "levenberg", "more", "dogleg", "gauss-newton", "gradient-descent")


def assay(method: str = "auto", **more: Any) -> Any:
    data = michaelis_menten()
    options = mq.Options(method=method, **more)  # type: ignore[arg-type]
    return mq.fit(data.formula, data=data, start={"Vmax": 80, "Km": 1.0}, options=options)


def thurber() -> Any:
    problem = nist("Thurber")
    return mq.fit(problem.formula, data=problem, start=problem.start1)


@pytest.mark.parametrize("method", METHODS)
def test_the_trace_is_drawn_for_every_method(method: str) -> None:
    fit = assay(method, max_evaluations=60)
    figure = fit.plot_trace()
    top, middle, bottom = figure.axes[:3]
    assert (top.get_ylabel(), bottom.get_ylabel()) == ("cost ½ Σ r²", "gain ratio ρ")
    assert bottom.get_xlabel() == "trial step"
    controls = {axes.get_ylabel() for axes in (middle, *figure.axes[3:])}
    radius, damping = (
        bool(np.any(np.nan_to_num(fit.trace[n], posinf=0.0) > 0)) for n in ("radius", "damping")
    )
    assert ("radius Δ" in controls, "damping λ" in controls) == (radius, damping)


def test_refused_steps_are_marked_as_such() -> None:
    fit = thurber()
    top = fit.plot_trace().axes[0]
    marks = {line.get_label(): line for line in top.lines}
    stop = ~fit.trace["accepted"]
    shown = sum(len(marks[n].get_xdata()) for n in marks if str(n).startswith("refused"))
    assert stop.any() and shown == stop.sum()
    assert len(marks["accepted: go"].get_xdata()) == fit.n_accepted


def test_a_fit_without_steps_says_that_there_is_nothing_to_draw() -> None:
    fit = assay(trace=False)
    with pytest.raises(mq.DataError, match="trace=False"):
        fit.plot_trace()


def test_a_wild_refused_cost_does_not_flatten_the_others() -> None:
    problem = mgh.load("osborne_2")
    fit = mq.least_squares(problem.residuals, problem.start_times(100))
    assert np.nanmax(fit.trace["trial_cost"]) > 1e100
    axes = fit.plot_trace().axes[0]
    far = next(line for line in axes.lines if line.get_label() == "refused, far above")
    assert len(far.get_xdata()) and axes.get_ylim()[1] < 1e5 * fit.trace["cost"].max()


def test_a_start_at_the_minimum_has_a_landscape_too() -> None:
    fit = mq.least_squares(lambda x: [x[0] - 1, x[1] - 2, x[0] * x[1] - 2], [1.0, 2.0])
    assert len(fit.trace) == 0
    assert fit.plot_landscape().axes[0].get_xlabel() == "x[0]"


def test_the_path_ends_where_the_fit_does() -> None:
    fit = thurber()
    way = path(fit.trace)
    assert np.array_equal(way[0], fit.trace.points[0]) and np.allclose(way[-1], fit.x, rtol=1e-6)
    assert len(way) == 1 + np.sum(fit.trace["accepted"])
    assert len(refused(fit.trace)) == np.sum(~fit.trace["accepted"] & evaluated(fit.trace))


@pytest.mark.parametrize("method", ["auto", "levenberg", "more", "dogleg", "gradient-descent"])
def test_evaluations_are_counted_as_the_fit_counts_them(method: str) -> None:
    fit = assay(method, polish=False, max_evaluations=60)
    assert abs(int(evaluations(steps_of(fit))[-1]) - (fit.nfev + fit.njev)) <= 2


def test_the_landscape_shows_start_path_and_minimum() -> None:
    fit = assay()
    scene = landscape(fit)
    way = path(fit.trace)
    for k, axis in enumerate(scene.axes):
        assert np.all((axis[0] <= way[:, k]) & (way[:, k] <= axis[-1]))
    j, i = np.unravel_index(int(np.nanargmin(scene.cost)), scene.cost.shape)
    near = [abs(axis[at] - x) / np.ptp(axis) for axis, at, x in zip(scene.axes, (i, j), fit.x, strict=True)]
    assert max(near) < 0.03
    assert np.nanmin(scene.cost) >= fit.cost


def test_the_cost_on_the_map_is_that_of_the_residuals() -> None:
    data, scene = michaelis_menten(), landscape(assay(), "Vmax", "Km", count=9)
    S, v = data["S"], data["v"]
    Vmax, Km = scene.axes[0][3], scene.axes[1][7]
    assert np.isclose(scene.cost[7, 3], 0.5 * np.sum((Vmax * S / (Km + S) - v) ** 2))


def test_the_most_correlated_parameters_are_shown_unless_named() -> None:
    fit = thurber()
    assert [fit.free_names[i] for i in chosen(fit)] == ["b3", "b4"]
    assert [fit.free_names[i] for i in chosen(fit, "b7", "b1")] == ["b7", "b1"]
    assert chosen(fit, "b4") == (3, 2)
    with pytest.raises(mq.ParameterError, match="did you mean 'b1'"):
        fit.plot_landscape("B1", "b2")
    with pytest.raises(mq.ParameterError, match="named twice"):
        fit.plot_landscape("b1", "b1")
    with pytest.raises(mq.OptionError, match="'fixed' or 'refit'"):
        fit.plot_landscape("b1", "b2", others="free")


def test_refitting_the_others_never_raises_the_cost() -> None:
    fit = thurber()
    kept, refit = (landscape(fit, "b1", "b3", others, count=9) for others in ("fixed", "refit"))
    assert np.all(refit.cost <= kept.cost * (1 + 1e-9))
    assert np.nanmin(refit.cost) >= fit.cost * (1 - 1e-9)
    assert refit.others == "the others optimized"


def one(*way: float) -> Any:
    return np.array(way)[:, None]


def test_a_wild_excursion_does_not_flatten_the_map() -> None:
    assert near(one(0.0, 1e6, 0.4, 0.9, 1.0), np.ones(1)).tolist() == [True, False, True, True, True]
    assert near(one(1e6, 0.2, 0.9, 1.0), np.ones(1)).tolist() == [False, True, True, True]


def test_a_way_that_diverges_is_shown_where_it_leaves() -> None:
    away = near(one(80.0, -418.0, -1.8e5, -3e10, -8.8e20), np.array([80.0]))
    assert away.tolist() == [True, True, False, False, False]


def test_a_point_is_stray_when_one_of_its_parameters_is() -> None:
    way = np.array([[0.0, 0.0], [1.0, 300.0], [0.9, 0.8], [1.0, 1.0]])
    assert near(way, np.ones(2)).tolist() == [True, False, True, True]


def test_a_start_at_the_minimum_has_a_map_as_wide_as_its_uncertainty() -> None:
    low, high = extent(np.array([5.0, 5.0]), 5.0, 0.3)
    assert (low, high) == (4.7, 5.3)
    low, high = extent(np.array([0.0]), 0.0, 0.0)
    assert low < 0.0 < high


def test_thousands_of_small_steps_do_not_narrow_the_map() -> None:
    problem = mgh.load("rosenbrock")
    options = mq.Options(method="gradient-descent", max_evaluations=4000)
    found = landscape(mq.least_squares(problem.residuals, problem.start, options=options))
    low, high = found.axes[1][[0, -1]]
    assert low < 0.2 and high > 1.0


def test_bounds_end_the_map() -> None:
    data = michaelis_menten()
    fit = mq.fit(data.formula, data=data, start={"Vmax": 80, "Km": 1.0}, bounds={"Km": (0, None)})
    assert landscape(fit, "Vmax", "Km", count=5).axes[1][0] == 0.0


def test_where_the_model_refuses_the_map_is_empty() -> None:
    def model(x: Any, a: float, b: float) -> Any:
        if a > 2.5:
            raise ValueError("too far")
        return a * np.exp(-b * x)

    x = np.linspace(0, 3, 8)
    fit = mq.fit(model, x, 2 * np.exp(-x), start={"a": 1, "b": 3})
    scene = landscape(fit, "a", "b", count=31)
    assert np.array_equal(np.isnan(scene.cost).any(axis=0), scene.axes[0] > 2.5)
    assert fit.plot_landscape().axes


def test_one_parameter_has_a_curve() -> None:
    x = np.arange(5.0)
    fit = mq.fit("y ~ exp(-b*x)", data={"x": x, "y": np.exp(-0.5 * x) + 0.01}, start={"b": 3})
    axes = fit.plot_landscape().axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("b", "cost ½ Σ r²")


def test_a_slow_model_gets_a_coarser_map_in_time() -> None:
    def model(x: Any, a: float, b: float) -> Any:
        time.sleep(0.003)
        return a * np.exp(-quad(lambda t: b, 0, 1)[0] * x)  # cannot be traced

    x = np.linspace(0, 3, 8)
    fit = mq.fit(model, x, 2 * np.exp(-x) + 0.01 * np.cos(9 * x), start={"a": 1, "b": 2})
    began = time.perf_counter()
    scene = landscape(fit)
    assert not fit.derivative.startswith("exact")
    assert time.perf_counter() - began < 4.0 and scene.cost.shape[0] < 30


def test_many_points_are_mapped_by_a_sample() -> None:
    x = np.linspace(0, 4, 50_000)
    y = 2 * np.exp(-0.7 * x) + 0.1 * np.sin(37 * np.arange(x.size) ** 2)
    fit = mq.fit("y ~ a*exp(-b*x)", data={"x": x, "y": y}, start={"a": 1, "b": 1})
    scene = landscape(fit, count=7)
    a, b = scene.axes[0][5], scene.axes[1][2]
    assert np.isclose(scene.cost[2, 5], 0.5 * np.sum((a * np.exp(-b * x) - y) ** 2), rtol=0.05)


def test_moves_are_the_steps_of_the_textbook() -> None:
    rng = np.random.default_rng(2)
    J, f, D = rng.normal(size=(6, 3)), rng.normal(size=6), np.array([1.0, 3.0, 0.2])
    Q, R = np.linalg.qr(J)
    found = moves(R, Q.T @ f, D)
    assert np.allclose(found.gauss_newton, np.linalg.lstsq(J, -f, rcond=None)[0])
    downhill = -(J.T @ f) / D**2
    assert np.allclose(np.cross(found.cauchy, downhill), 0, atol=1e-12) and found.cauchy @ downhill > 0
    assert abs((J @ found.cauchy) @ (f + J @ found.cauchy)) < 1e-12  # lowest on that line
    assert np.allclose(found.curve[-1], found.gauss_newton)
    lengths = np.linalg.norm(D * found.curve, axis=1)
    assert np.all(np.diff(lengths) > 0)
    first = D * found.curve[0]
    assert np.isclose(first @ (D * downhill), np.linalg.norm(first) * np.linalg.norm(D * downhill), rtol=1e-3)


def test_a_singular_point_still_has_moves() -> None:
    found = moves(np.zeros((2, 2)), np.zeros(2), np.ones(2))
    assert not found.gauss_newton.any() and not found.curve.any()
    found = moves(np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([2.0, 0.0]), np.ones(2))
    assert np.allclose(found.gauss_newton, [-1.0, -1.0])


def test_the_edge_of_the_region_has_the_length_of_the_radius() -> None:
    D = np.array([2.0, 0.5])
    edge = ring(np.array([1.0, -1.0]), 3.0, D)
    assert np.allclose(np.linalg.norm(D * (edge - [1.0, -1.0]), axis=1), 3.0)


def test_of_many_steps_the_first_are_all_shown_and_the_last_too() -> None:
    rows = telling(100_000, 100)
    assert len(rows) <= 100 and rows[-1] == 99_999 and np.array_equal(rows[:50], np.arange(50))
    assert np.array_equal(telling(7, 100), np.arange(7))


def test_pictures_without_matplotlib_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = assay()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for draw in (fit.plot, fit.plot_trace, fit.plot_landscape):
        with pytest.raises(mq.MissingPackageError, match="pip install matplotlib"):
            draw()


def test_axes_show_units_where_the_data_tell_them() -> None:
    fit = assay()
    top, bottom = fit.plot().axes
    labels = (bottom.get_xlabel(), top.get_ylabel(), bottom.get_ylabel())
    assert labels == ("S (ppm)", "v (counts/min²)", "residual (counts/min²)")
    axes = fit.plot_landscape().axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Vmax (counts/min²)", "Km (ppm)")


def test_units_of_a_data_frame_are_in_its_attributes() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"t": np.arange(6.0), "y": np.exp(-0.5 * np.arange(6.0)) + 0.01})
    assert mq.fit("y ~ exp(-k*t)", data=table, start={"k": 1}).units == {}
    table.attrs["units"] = {"t": "s", "k": "1/s"}
    fit = mq.fit("y ~ exp(-k*t)", data=table, start={"k": 1})
    assert fit.plot().axes[1].get_xlabel() == "t (s)"
    assert fit.plot_landscape().axes[0].get_xlabel() == "k (1/s)"


def test_the_cost_of_a_penalized_fit_includes_the_penalty() -> None:
    data = michaelis_menten()
    fit = mq.fit(
        data.formula, data=data, start={"Vmax": 80, "Km": 1.0}, prior={"Km": (0.2, 0.01)}, sigma=10.0
    )
    assert np.isclose(cost_at(fit._outcome.problem, fit.x), fit.cost, rtol=1e-12)
    problem = nist("Thurber")
    fit = mq.fit(problem.formula, data=problem, start=problem.start1, ridge={"b4": 1.0})
    scene = landscape(fit, "b1", "b3", "refit", count=5)
    assert np.nanmin(scene.cost) >= fit.cost * (1 - 1e-9)
