"""What `ManyFits` tells: summaries, tables, files, pictures, and single fits made again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import marquardt as mq
from marquardt.errors import DataError, FileError, OptionError, ParameterError, Status

from .test_many import GRID, START, Y, T, decay  # isort: skip


@pytest.fixture(scope="module")
def many() -> mq.ManyFits:
    y = Y.copy()
    y[0, 1], y[3, 3] = np.nan, 0.0
    y[5, 5] = 30 * y[4, 4] + 5 * np.random.default_rng(0).standard_normal(24)
    return mq.fit_many(decay, T, y, start=START)


def test_the_summary_counts_the_ends_and_names_the_worst(many: mq.ManyFits) -> None:
    text = many.summary()
    assert "decay: 42 fits (6 × 7) in " in text and " a second" in text
    assert "40   95.2 %  converged" in text and "1    2.4 %  not fitted: none of its points counts" in text
    assert "\n5, 5" in text and "times the median" in text and "\n0, 1" in text and "\n3, 3" in text
    assert "no points: Its data are missing" in text
    assert "worst" not in repr(many) and repr(many).startswith("decay: 42 fits")


def test_a_notebook_shows_tables(many: mq.ManyFits) -> None:
    html = many._repr_html_()
    assert "<td class='good'>converged</td><td>40</td>" in html and "5, 5" in html


def test_values_are_had_by_name(many: mq.ManyFits) -> None:
    assert many["tau"].shape == GRID and np.array_equal(many["tau"], many.params["tau"], equal_nan=True)
    assert list(many) == ["a", "tau", "c"] and len(many) == 42 and many.success.sum() == 40
    with pytest.raises(ParameterError, match="no parameter 'taw'; did you mean 'tau'"):
        many["taw"]
    with pytest.raises(OptionError, match="covariance=True"):
        _ = many.covariance
    with pytest.raises(OptionError, match="no status 'CONVERGD'; did you mean 'CONVERGED'"):
        many.where("CONVERGD")


def test_a_fit_made_again_is_that_of_fit_from_the_same_start(many: mq.ManyFits) -> None:
    fit, one = many.refit((2, 3)), mq.fit(decay, T, Y[2, 3], start=START)
    assert np.array_equal(fit.x, one.x) and np.array_equal(fit.stderr, one.stderr) and fit.nfev == one.nfev
    assert fit.params["tau"].interval(0.95) == one.params["tau"].interval(0.95)
    with pytest.raises(DataError, match=r"fit \(0, 1\) has no points"):
        many.refit((0, 1))
    with pytest.raises(DataError, match="constant"):
        many.refit((3, 3))
    with pytest.raises(IndexError, match=r"arranged as \(6, 7\)"):
        many.refit((6, 0))


def test_results_are_written_and_read(many: mq.ManyFits, tmp_path: Any) -> None:
    many.save(tmp_path / "fits.npz")
    again = mq.ManyFits.load(tmp_path / "fits.npz")
    assert np.array_equal(again.x, many.x, equal_nan=True) and again.counts == many.counts
    assert again.summary() == many.summary()
    with pytest.raises(DataError, match="read from a file"):
        again.refit((0, 0))
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    for name in ("other.npz", "none.npz"):
        with pytest.raises(FileError, match=name.split(".")[0]):
            mq.ManyFits.load(tmp_path / name)


def test_tables_of_pandas_have_a_row_for_each_fit(many: mq.ManyFits) -> None:
    pytest.importorskip("pandas")
    table = many.to_pandas()
    assert table.shape[0] == 42 and table.loc[(2, 3), "tau"] == many["tau"][2, 3]
    assert table["status"].value_counts()["converged"] == 40


def test_data_sets_of_xarray_have_the_dimensions_of_the_grid(many: mq.ManyFits) -> None:
    pytest.importorskip("xarray")
    data = many.to_xarray(("row", "column"), {"row": np.arange(6) * 0.5})
    assert dict(data.sizes) == {"row": 6, "column": 7}
    assert float(data["tau"].sel(row=1.0).isel(column=3)) == many["tau"][2, 3]
    assert data["status"].attrs["flag_meanings"].split()[0] == "CONVERGED"


@pytest.mark.parametrize("shape", [(42,), (6, 7), (2, 3, 7)])
def test_pictures_show_every_parameter(shape: tuple[int, ...]) -> None:
    pytest.importorskip("matplotlib")
    y = Y.reshape(*shape, -1).copy()
    y[(0,) * len(shape)] = np.nan
    figure = mq.fit_many(decay, T, y, start=START).plot_map(["a", "tau"])
    assert [axes.get_title() for axes in figure.axes[:2]] != ["", ""]
    with pytest.raises(OptionError, match="no parameter 'b'"):
        mq.fit_many(decay, T, y, start=START).plot_map("b")


def test_every_status_of_a_fit_that_was_not_made_has_an_advice(many: mq.ManyFits) -> None:
    assert all(status.advice for status in many.counts if not status.success)
    assert Status.NO_POINTS in many.counts
