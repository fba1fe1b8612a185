"""Several methods from one start: all start there, and the table and picture tell who arrived."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import marquardt as mq
from marquardt.cli import main
from marquardt.cli.demos import DEMOS, WALKERS, table
from marquardt.datasets import mgh, michaelis_menten, nist
from marquardt.options import METHODS
from marquardt.report.comparison import arrived, curves


def assay(**settings: Any) -> Any:
    data = michaelis_menten()
    return mq.compare(data.formula, data=data, **settings)


def rosenbrock(**settings: Any) -> Any:
    problem = mgh.load("rosenbrock")
    return mq.compare(problem.residuals, x0=problem.start, **settings)


def test_all_methods_start_at_the_same_point() -> None:
    found = assay(start={"Vmax": 80, "Km": 1.0})
    assert tuple(found.results) == METHODS
    for result in found.results.values():
        assert np.array_equal(result.trace.points[0], [80.0, 1.0])


def test_a_start_that_is_not_given_is_searched_once_for_all() -> None:
    found = assay(methods=["levenberg", "more", "auto"])
    first, *others = (r.trace.points[0] for r in found.results.values())
    assert all(np.array_equal(first, point) for point in others)
    assert all(r.multistart is None for r in found.results.values())


def test_the_table_has_a_line_for_each_method_with_its_counts() -> None:
    found = rosenbrock(methods=["gauss-newton", "levenberg", "auto"])
    title, header, *lines = str(found).splitlines()
    assert title == "rosenbrock" and header.split()[:4] == ["method", "ended", "cost", "residuals"]
    for line, (name, result) in zip(lines, found.results.items(), strict=True):
        words = line.split()
        assert words[0] == name and words[1] == "converged"
        assert [int(w) for w in words[-3:]] == [result.nfev, result.njev, result.nfev + result.njev]
    assert found._repr_html_().count("<tr>") == 4


def test_settings_of_a_method_may_have_a_name_of_their_own() -> None:
    found = rosenbrock(methods={d: {"method": "levenberg", "damping": d} for d in ("nielsen", "classic")})
    costs = [r.trace["damping"][1] for r in found.results.values()]
    assert list(found.results) == ["nielsen", "classic"] and costs[0] != costs[1]


def test_wrong_settings_are_refused_by_name() -> None:
    with pytest.raises(mq.OptionError, match="'simplex'"):
        rosenbrock(methods=["simplex"])
    with pytest.raises(mq.OptionError, match="sets 'sigma'"):
        rosenbrock(methods={"a": {"sigma": 1}})
    with pytest.raises(mq.OptionError, match="empty"):
        rosenbrock(methods=[])


def test_a_curve_and_a_residual_function_are_told_apart() -> None:
    with pytest.raises(mq.OptionError, match="start as x0="):
        mq.compare(lambda x: x - 1, [0.5])
    with pytest.raises(mq.OptionError, match="start="):
        mq.compare(lambda t, a: a * t, [1, 2], [2, 4], x0=[1.0])


def test_what_a_method_raises_stands_in_the_table() -> None:
    found = rosenbrock(methods={"bent dogleg": {"method": "dogleg", "acceleration": True}, "auto": {}})
    assert list(found.results) == ["auto"]
    assert "cannot be accelerated" in str(found).splitlines()[2]


def test_another_minimum_is_not_an_arrival() -> None:
    problem = mgh.load("freudenstein_roth")
    best, other = np.array([4.5, 4.1]), problem.start
    low, high = (mq.compare(problem.residuals, x0=x0, methods=["auto"]) for x0 in (best, other))
    both = mq.Comparison("both", (*low.runs, mq.curve.compare.Run("other", high.results["auto"])))
    assert arrived(both.results["auto"], both) and not arrived(both.results["other"], both)
    assert both.results["other"].success and "at another minimum" in str(both)


def test_curves_fall_from_the_start_to_the_lowest_cost() -> None:
    found = rosenbrock()
    for name, (spent, cost) in curves(found).items():
        assert np.all(np.diff(spent) >= 0) and np.all(np.diff(cost) <= 0), name
        assert np.isclose(cost[0], 12.1) and spent[0] == 2


def test_curves_end_at_the_evaluations_of_the_table() -> None:
    problem = mgh.load("beale")  # from far away it takes several attempts
    found = mq.compare(problem.residuals, x0=problem.start_times(10), methods=["auto", "more"])
    for name, (spent, _) in curves(found).items():
        assert spent[-1] == found.results[name].nfev + found.results[name].njev


def test_the_picture_has_a_line_for_each_method() -> None:
    axes = assay(start={"Vmax": 80, "Km": 1.0}, methods=["levenberg", "auto"]).plot().axes[0]
    named = [line.get_label() for line in axes.lines if not line.get_label().startswith("_")]
    assert named == ["levenberg", "auto", "arrived", "did not arrive"]
    assert axes.get_xlabel() and axes.get_ylabel()


def test_the_ways_of_all_methods_start_at_the_white_square() -> None:
    axes = assay(start={"Vmax": 80, "Km": 1.0}, methods=["levenberg", "auto"]).plot_landscape().axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    start = [float(v[0]) for v in lines["start"].get_data()]
    for name in ("levenberg", "auto"):
        assert [float(v[0]) for v in lines[name].get_data()] == start == [80.0, 1.0]


def test_one_parameter_has_no_landscape_of_ways() -> None:
    found = mq.compare(lambda x: x - np.arange(3.0), x0=[5.0], methods=["auto"])
    with pytest.raises(mq.DataError, match="two parameters"):
        found.plot_landscape()


def test_the_page_holds_the_dance_of_every_method(tmp_path: Path) -> None:
    found = rosenbrock(methods=["levenberg", "auto"])
    text = found.to_html(tmp_path / "page.html")
    assert text == (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count("The dance of ") == 2 and text.count("Plotly.newPlot(") == 3 + text.count("/*newPlot")


@pytest.mark.parametrize("name", ["rosenbrock", "beale", "michaelis"])
def test_a_demo_prints_who_arrived_and_writes_its_files(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", name, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert all(walker in said for walker in WALKERS)
    last = next(line for line in said.splitlines() if line.startswith("marquardt (auto)"))
    assert last.endswith("arrived")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"{name}.html",
        f"{name}.png",
        f"{name}_landscape.png",
    ]


def test_the_hiker_needs_thousands_of_evaluations_where_a_dancer_needs_dozens() -> None:
    results = DEMOS["rosenbrock"].run().results
    spent = {name: r.nfev + r.njev for name, r in results.items()}
    assert spent["the hiker"] > 2000 and spent["Levenberg"] < 100 and spent["marquardt (auto)"] < 50
    assert results["marquardt (auto)"].cost <= 1e-28


def test_crashes_and_unfinished_walks_are_told() -> None:
    beale, assay = (table(DEMOS[name].run()).splitlines() for name in ("beale", "michaelis"))
    assert beale[2].startswith("the sprinter") and "crashed: the Jacobian became singular" in beale[2]
    assert assay[1].startswith("the hiker") and "still on the way" in assay[1]


def test_the_demos_are_listed_and_a_typing_error_is_corrected(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(DEMOS)
    assert main(["demo", "rosenbroc"]) == 2
    assert "did you mean 'rosenbrock'?" in capsys.readouterr().err


def test_nist_peaks_are_reached_by_all_but_the_hiker() -> None:
    results = DEMOS["gauss"].run().results
    certified = nist("Gauss1").rss
    for name, result in results.items():
        assert np.isclose(2 * result.cost, certified, rtol=1e-9) == (name != "the hiker")
