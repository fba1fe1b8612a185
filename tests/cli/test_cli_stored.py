"""``marquardt fit`` of Parquet files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from marquardt.cli import main

arrow = pytest.importorskip("pyarrow")


@pytest.fixture
def folder(tmp_path):
    from pyarrow.parquet import write_table

    for k in range(3):
        t = np.linspace(k, k + 1, 400)
        y = 3 * np.exp(-t / 2) + 1 + 0.01 * np.random.default_rng(k).standard_normal(400)
        write_table(arrow.table({"t": t, "y": y, "s": np.full(400, 0.01)}), tmp_path / f"{k}.parquet")
    return tmp_path


@pytest.mark.parametrize("name", ["", "*.parquet"])
def test_a_folder_or_a_pattern_of_files_is_one_table(folder, name, capsys):
    assert main(["fit", f"{folder}/{name}", "y ~ a*exp(-t/T) + c", "--sigma", "s", "--json", "-"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["goodness"]["n_points"] == 1200 and record["chi2"] is not None
    assert abs(record["parameters"]["T"]["value"] - 2.0) < 0.05


def test_what_needs_all_rows_is_refused(folder, capsys):
    assert main(["fit", f"{folder}/0.parquet", "y ~ a + b*t", "--by", "s"]) == 2
    assert "--by needs all rows at once" in capsys.readouterr().err
    assert main(["fit", f"{folder}/none.parquet", "y ~ a + b*t"]) == 2
    assert "there is no such file" in capsys.readouterr().err
