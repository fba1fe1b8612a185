"""Groups on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from marquardt.cli import main

FORMULA = "v ~ Vmax*S/(Km + S)"


@pytest.fixture
def file(tmp_path: Path) -> str:
    rng = np.random.default_rng(3)
    lines = ["plate,day,S,v"]
    for k, (plate, vmax) in enumerate([("A", 100.0), ("B", 200.0), ("C", 50.0)]):
        for s in np.linspace(0.2, 8.0, 12):
            lines.append(f"{plate},{k + 1},{s:.3f},{vmax * s / (1.5 + s) + rng.normal():.4f}")
    path = tmp_path / "plates.csv"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_by_a_column_of_text_prints_a_table(file, capsys):
    assert main(["fit", file, FORMULA, "--by", "plate"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("3 groups by plate: 3 converged") and "\nB " in out


def test_by_writes_one_record_for_each_group(file, capsys):
    assert main(["fit", file, FORMULA, "--by", "day", "--json", "-"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [g["group"] for g in record["groups"]] == [1, 2, 3]


def test_group_and_shared_make_one_fit(file, capsys, tmp_path):
    picture = tmp_path / "groups.png"
    arguments = ["fit", file, FORMULA, "--group", "plate", "--shared", "Km", "--plot", str(picture)]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "3 groups by plate" in out and "Km" in out and picture.exists()


def test_what_does_not_fit_together_is_refused(file, capsys):
    assert main(["fit", file, FORMULA, "--group", "plate"]) == 2
    assert "--group and --shared belong together" in capsys.readouterr().err
    assert main(["fit", file, FORMULA, "--by", "plates"]) == 2
    assert "no column `plates`" in capsys.readouterr().err
