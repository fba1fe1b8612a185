"""The command line end to end: files in, reports, pictures and exit codes out."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import numpy as np
import pytest

from marquardt.cli import main
from marquardt.datasets import michaelis_menten, nist

ASSAY = "v ~ Vmax*S/(Km + S)"


@pytest.fixture
def assay(tmp_path):
    data = michaelis_menten()
    path = tmp_path / "assay.csv"
    rows = [f"{s},{v},10,{k}" for k, (s, v) in enumerate(zip(data["S"], data["v"], strict=True))]
    path.write_text("\n".join(["S,v,error,sample", *rows]) + "\n")
    return path


def fitted(capsys, *arguments):
    """Exit code and result of a fit, as JSON."""
    code = main(["fit", *map(str, arguments), "--json", "-"])
    return code, json.loads(capsys.readouterr().out)


def values(result):
    return {name: parameter["value"] for name, parameter in result["parameters"].items()}


def test_a_certified_fit_prints_its_report_and_returns_0(assay, capsys):
    assert main(["fit", str(assay), ASSAY]) == 0
    report = capsys.readouterr().out
    assert "converged" in report and "Vmax" in report and "212.68" in report


def test_the_number_of_starts_can_be_asked_for(assay, capsys):
    assert main(["fit", str(assay), ASSAY, "--starts", "40"]) == 0
    assert "of 40 ended here" in " ".join(capsys.readouterr().out.split())
    assert main(["fit", str(assay), ASSAY, "--starts", "0"]) != 0
    assert "starts = 0" in capsys.readouterr().err


def test_json_holds_the_published_estimates(assay, capsys):
    code, result = fitted(capsys, assay, ASSAY, "--start", "Vmax=200,Km=0.1")
    assert code == 0
    assert values(result) == pytest.approx({"Vmax": 212.6837, "Km": 0.06412128}, rel=1e-6)
    assert result["parameters"]["Vmax"]["stderr"] == pytest.approx(6.947, abs=1e-3)


def test_the_same_table_in_other_formats_gives_the_same_bits(assay, tmp_path, capsys):
    expected = fitted(capsys, assay, ASSAY)[1]["parameters"]
    text = assay.read_text()
    variants = {
        "t.tsv": text.replace(",", "\t").encode(),
        "s.csv": text.replace(",", ";").encode(),
        "w.txt": text.replace(",", "  ").encode(),
        "h.txt": ("# " + text.replace(",", " ")).encode(),
        "z.csv.gz": gzip.compress(text.encode()),
        "crlf.csv": text.replace("\n", "\r\n").encode(),
    }
    for name, content in variants.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert fitted(capsys, path, ASSAY)[1]["parameters"] == expected, name


def test_a_fixed_parameter_stays_and_bounds_hold(assay, capsys):
    _, result = fitted(capsys, assay, ASSAY, "--fix", "Vmax=200")
    assert values(result)["Vmax"] == 200
    code, result = fitted(capsys, assay, ASSAY, "--bounds", "Km=0.07:")
    assert code == 0 and values(result)["Km"] == pytest.approx(0.07)


def test_sigma_may_be_a_column_a_number_or_a_formula(assay, capsys):
    errors = []
    for sigma in ("error", "10", "error + 0*S", "2*error"):
        _, result = fitted(capsys, assay, ASSAY, "--sigma", sigma)
        errors.append(result["parameters"]["Vmax"]["stderr"])
    assert errors[0] == pytest.approx(errors[1]) == pytest.approx(errors[2])
    assert errors[3] == pytest.approx(2 * errors[0])


def test_weights_of_zero_leave_a_row_out(assay, tmp_path, capsys):
    short = tmp_path / "short.csv"
    short.write_text("\n".join(assay.read_text().splitlines()[:-1]) + "\n")
    _, expected = fitted(capsys, short, ASSAY)
    _, result = fitted(capsys, assay, ASSAY, "--weights", "sample < 11")
    assert values(result) == pytest.approx(values(expected), rel=1e-9)


def test_missing_rows_are_dropped_on_request_and_counted(assay, capsys):
    _, expected = fitted(capsys, assay, ASSAY)
    assay.write_text(assay.read_text() + "0.3,NA,10,12\n,150,10,13\n")
    assert main(["fit", str(assay), ASSAY]) == 2
    assert "assay.csv, line 14, column `v`: the value is missing" in capsys.readouterr().err
    code, result = fitted(capsys, assay, ASSAY, "--drop-missing")
    assert code == 0 and values(result) == pytest.approx(values(expected), rel=1e-12)
    assert main(["fit", str(assay), ASSAY, "--drop-missing"]) == 0
    assert "2 rows" in capsys.readouterr().out


def test_a_nist_file_needs_no_formula(tmp_path, capsys):
    from importlib.resources import files

    path = tmp_path / "Misra1a.dat"
    path.write_bytes((files("marquardt.datasets") / "nist" / "Misra1a.dat").read_bytes())
    code, result = fitted(capsys, path, "--start", "b1=500,b2=0.0001")
    assert code == 0 and values(result) == pytest.approx(nist("Misra1a").certified, rel=1e-8)


def test_plot_html_and_json_files_are_written(assay, tmp_path, capsys):
    plot, page, record = tmp_path / "fit.png", tmp_path / "fit.html", tmp_path / "fit.json"
    outputs = ["--plot", str(plot), "--html", str(page), "--json", str(record)]
    assert main(["fit", str(assay), ASSAY, *outputs]) == 0
    assert plot.read_bytes().startswith(b"\x89PNG") and plot.stat().st_size > 10_000
    assert "Vmax" in page.read_text() and page.read_text().lstrip().lower().startswith("<!doctype html>")
    assert json.loads(record.read_text())["parameters"]["Km"]["value"] > 0
    assert "Vmax" in capsys.readouterr().out


def test_an_output_that_cannot_be_written_is_named(assay, tmp_path, capsys):
    assert main(["fit", str(assay), ASSAY, "--html", str(tmp_path / "no" / "fit.html")]) == 2
    assert "fit.html: No such file or directory" in capsys.readouterr().err
    assert main(["fit", str(assay), ASSAY, "--plot", str(tmp_path / "fit.xyz")]) == 2
    assert "fit.xyz cannot be written: " in capsys.readouterr().err


def test_parameters_that_cannot_be_told_apart_give_exit_code_1_and_are_named(assay, capsys):
    assert main(["fit", str(assay), "v ~ a*b*S", "--start", "a=1,b=1"]) == 1
    report = capsys.readouterr().out
    assert "not certified" in report or "do not determine" in report


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--start", "Vm=200"], "Vm"),
        (["--start", "Km=-1", "--bounds", "Km=0:"], "Km"),
        (["--bounds", "Km=2:1"], "Km"),
        (["--sigma", "0"], "sigma"),
        (["--sigma", "error - 20"], "sigma"),
        (["--weights=-error"], "weight"),
    ],
)
def test_bad_input_names_the_guilty_thing(assay, capsys, arguments, words):
    assert main(["fit", str(assay), ASSAY, *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error


def test_a_column_in_another_case_is_remarked(assay, capsys):
    main(["fit", str(assay), "v ~ Vmax*S/(Km + S) + 0*s", "--start", "s=1"])
    assert "`s` is fitted as a parameter; the column is `S`" in capsys.readouterr().err


def test_the_module_runs_as_a_program(assay):
    command = [sys.executable, "-m", "marquardt", "fit", str(assay), ASSAY]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "Vmax" in done.stdout and done.stderr == ""


def test_a_reader_that_stops_early_does_no_harm(assay):
    command = f"'{sys.executable}' -m marquardt fit '{assay}' '{ASSAY}' | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stderr == ""


def test_nist_table_certifies_a_folder(tmp_path, capsys):
    from importlib.resources import files

    for name in ("Misra1a", "DanWood"):
        path = tmp_path / f"{name}.dat"
        path.write_bytes((files("marquardt.datasets") / "nist" / f"{name}.dat").read_bytes())
    assert main(["nist", str(tmp_path)]) == 0
    table = capsys.readouterr().out
    assert "4 of 4 runs reach 6 digits" in table and table.count("DanWood") == 2


def test_the_demo_writes_its_pictures(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    written = {path.name for path in (tmp_path / "demo").iterdir()}
    assert written == {"michaelis_menten.png", "michaelis_menten.html", "thurber.png", "thurber.html"}
    assert np.all([path.stat().st_size > 5000 for path in (tmp_path / "demo").iterdir()])


def test_priors_and_ridges_are_read(assay, capsys):
    code, result = fitted(capsys, assay, ASSAY, "--prior", "Km=0.1:0.01,Vmax=200:50", "--ridge", "Vmax=1e-4")
    assert code == 0
    parts = result["penalty"]["parts"]
    assert (parts["Km"]["mean"], parts["Km"]["sd"], parts["Vmax"]["ridge"]) == (0.1, 0.01, 1e-4)
    assert 0.064 < values(result)["Km"] < 0.1
    _, result = fitted(capsys, assay, ASSAY, "--ridge", "0.5")
    assert [p["ridge"] for p in result["penalty"]["parts"].values()] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("option", "text", "says"),
    [
        ("--prior", "Km=0.1", "write mean:sd"),
        ("--prior", "Km=0.1:0", "must be positive"),
        ("--prior", "Kn=0.1:1", "prior names 'Kn', which is no parameter of the model; there are: Vmax, Km"),
        ("--ridge", "much", "`much`, given for `all parameters`, is not a number"),
        ("--ridge", "Km=-1", "a number that is not negative"),
    ],
)
def test_an_impossible_penalty_is_refused(assay, capsys, option, text, says):
    assert main(["fit", str(assay), ASSAY, option, text]) == 2
    assert says in capsys.readouterr().err


def test_a_method_is_chosen_and_its_log_printed(assay, capsys):
    start = ["--start", "Vmax=100,Km=1", "--method", "levenberg", "--damping", "delayed", "--trace"]
    assert main(["fit", str(assay), ASSAY, *start]) == 0
    report, log = capsys.readouterr().out.split("\n\n step")
    assert "converged" in report
    assert "stop: uphill" in log and log.rstrip().endswith("go")


def test_mgh_table_counts_what_is_solved_and_certified(capsys):
    assert main(["mgh", "auto", "--runs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("rosenbrock") for line in lines) == 3
    summary = next(line for line in lines if line.startswith("auto"))
    assert summary.split()[1:5] == ["33", "+", "2", "35"]


def test_mgh_refuses_an_unknown_method(capsys):
    assert main(["mgh", "simplex"]) == 2
    assert "method = 'simplex': one of 'auto'" in capsys.readouterr().err


def test_ties_and_bounds_on_expressions_are_read(assay, capsys):
    formula = "v ~ Vmax*S/(Km + S) + c"
    code, result = fitted(capsys, assay, formula, "--tie", "c=min(d, 5)", "--tie", "d=Vmax/100")
    assert code == 0 and result["parameters"]["c"]["expression"] == "min(d, 5)"
    assert values(result)["c"] == pytest.approx(values(result)["Vmax"] / 100)
    code, result = fitted(capsys, assay, ASSAY, "--bounds", "Vmax/Km=:3000,max(Km, 1)=0:")
    assert code == 0 and result["parameters"]["Vmax/Km"]["at_bound"] == 1
    assert values(result)["Vmax"] == pytest.approx(3000 * values(result)["Km"])


@pytest.mark.parametrize(
    ("ties", "says"),
    [
        (["Km"], "`Km` is not of the form name=expression"),
        (["Km=1", "Km=2"], "--tie names `Km` twice"),
        (["Km=2*"], "the tie of 'Km'"),
    ],
)
def test_an_impossible_tie_is_refused(assay, capsys, ties, says):
    assert main(["fit", str(assay), ASSAY, *[part for tie in ties for part in ("--tie", tie)]]) == 2
    assert says in capsys.readouterr().err


def test_sigma_may_follow_from_the_prediction(assay, capsys):
    code, result = fitted(capsys, assay, ASSAY, "--sigma", "0.05*mu + 0*error + 2")
    assert code == 0 and result["reweighting"]["settled"] and result["chi2"] is not None
    assert main(["fit", str(assay), ASSAY, "--weights", "1/mu^2"]) == 0
    assert "weights from the prediction" in capsys.readouterr().out


def test_a_covariance_matrix_is_read_from_a_file(assay, tmp_path, capsys):
    path, n = tmp_path / "cov.csv", 12
    matrix = 100.0 * 0.5 ** np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    np.savetxt(path, matrix, delimiter=",")
    code, result = fitted(capsys, assay, ASSAY, "--covariance", path)
    assert code == 0 and result["correlated"]
    np.savetxt(path, np.diag(np.full(n, 100.0)), delimiter=",")
    _, diagonal = fitted(capsys, assay, ASSAY, "--covariance", path)
    assert diagonal["parameters"] == fitted(capsys, assay, ASSAY, "--sigma", "10")[1]["parameters"]
    np.savetxt(path, matrix[:5, :5], delimiter=",")
    assert main(["fit", str(assay), ASSAY, "--covariance", str(path)]) == 2
    assert "5 rows of 5 numbers, where the 12 rows of" in capsys.readouterr().err
