"""``marquardt batch``: files in, files out, a summary, an exit code."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
import xarray as xr

import marquardt as mq
from marquardt.cli import main
from marquardt.datasets import simulate

T, COUNTS, TRUTH = simulate.lifetime_stack((12, 10), gates=16, photons=5000, seed=2)
SEEN = COUNTS.sum(axis=0) > 600
FORMULA = "y ~ a*exp(-t/tau) + b"
START = ["--start", "a=500,tau=2,b=2", "--bounds", "tau=0.05:50"]
EXPECTED = mq.fit_many(
    FORMULA, {"t": T}, np.moveaxis(COUNTS, 0, -1), mask=SEEN, start={"a": 500, "tau": 2, "b": 2},
    bounds={"tau": (0.05, 50)},
)  # fmt: skip


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savetxt("t.txt", T)
    np.save("stack.npy", COUNTS)
    np.save("seen.npy", SEEN)
    tifffile.imwrite("stack.tif", COUNTS)
    coords = {"t": T, "y": np.arange(12) * 0.5}
    data = xr.Dataset({"counts": (("t", "y", "x"), COUNTS), "seen": (("y", "x"), SEEN.astype("i1"))}, coords)
    data.to_netcdf("cube.nc")


def batch(*arguments: str) -> int:
    return main(["batch", *arguments, "--quiet"])


def test_a_stack_of_pictures_becomes_maps_that_are_those_of_fit_many(capsys):
    assert batch("stack.tif", FORMULA, "--along", "t", "--x", "t=t.txt", "--mask", "seen.npy", *START,
                 "--out", "maps.tif", "--map", "maps.png") == 0  # fmt: skip
    out = capsys.readouterr().out
    assert "120 fits (12 × 10)" in out and f"{int(SEEN.sum())}" in out
    with tifffile.TiffFile("maps.tif") as file:
        labels, pages = file.imagej_metadata["Labels"], file.asarray()
    assert labels[:2] == ["a", "a_stderr"]
    np.testing.assert_allclose(pages[labels.index("tau")], EXPECTED.params["tau"], rtol=1e-6)
    with open("maps.png", "rb") as file:
        assert file.read(8) == b"\x89PNG\r\n\x1a\n"


def test_a_cube_with_names_keeps_its_coordinates(capsys):
    assert batch("cube.nc", FORMULA, "--variable", "counts", "--along", "t", "--mask", "seen", *START,
                 "--out", "fits.nc") == 0  # fmt: skip
    with xr.open_dataset("fits.nc") as found:
        np.testing.assert_allclose(found["tau"], EXPECTED.params["tau"])
        np.testing.assert_allclose(found["tau_stderr"], EXPECTED.stderr["tau"])
        assert found["tau"].dims == ("y", "x") and found["y"].values[2] == 1.0
        meaning = found["status"].attrs["flag_meanings"].split()
        assert meaning[int(found["status"].values[0, 0])] == "NO_POINTS"


@pytest.mark.parametrize("ending", ["npz", "npy", "h5", "zarr", "csv", "parquet", "nc"])
def test_every_ending_holds_the_same_estimates(ending):
    name = f"fits.{ending}"
    assert batch("stack.npy", FORMULA, "--along", "t=0", "--x", "t=t.txt", "--mask", "seen.npy", *START,
                 "--out", name) == 0  # fmt: skip
    if ending == "npz":
        with np.load(name) as file:
            tau, about = file["tau"], json.loads(str(file["about"]))
        assert about["parameters"] == ["a", "tau", "b"] and "stack.npy" in about["source"]
    elif ending == "npy":
        tau = np.load(name)[..., 1]
    elif ending == "h5":
        with h5py.File(name) as file:
            tau = file["tau"][()]
    elif ending in ("zarr", "nc"):
        tau = xr.open_dataset(name)["tau"].values
    else:
        frame = pd.read_csv(name) if ending == "csv" else pd.read_parquet(name)
        assert frame["status"][0] == "no points" and list(frame)[:2] == ["dim_1", "dim_2"]
        tau = frame["tau"].to_numpy().reshape(12, 10)
    np.testing.assert_allclose(tau, EXPECTED.params["tau"], rtol=1e-12)


def test_counts_by_their_likelihood_loss_sigma_and_fixed_values_reach_the_fits():
    where = ["cube.nc", FORMULA, "--variable", "counts", "--along", "t", "--mask", "seen", *START]
    y = np.moveaxis(COUNTS, 0, -1).astype(float)
    np.save("sigma.npy", np.sqrt(np.maximum(COUNTS, 1)))
    for flags, options in (
        (["--family", "poisson"], {"family": "poisson"}),
        (["--loss", "huber", "--f-scale", "30"], {"loss": "huber", "f_scale": 30.0}),
        (["--sigma", "4.5"], {"sigma": 4.5}),
        (["--sigma", "sigma.npy"], {"sigma": np.sqrt(np.maximum(y, 1))}),
        (["--fix", "b=2"], {"fixed": {"b": 2}}),
    ):
        batch(*where, *flags, "--out", "fits.npz")
        start = {"a": 500, "tau": 2, "b": 2}
        expected = mq.fit_many(
            FORMULA, {"t": T}, y, mask=SEEN, start=start, bounds={"tau": (0.05, 50)}, **options
        )
        with np.load("fits.npz") as file:
            np.testing.assert_allclose(file["tau"], expected.params["tau"], rtol=1e-6, err_msg=flags[0])
            np.testing.assert_allclose(
                file["tau_stderr"], expected.stderr["tau"], rtol=1e-5, err_msg=flags[0]
            )


def test_successes_of_trials_in_a_stack_and_in_a_table():
    rng = np.random.default_rng(4)
    dose, n = np.linspace(-2, 2, 9), rng.integers(20, 60, (6, 9))
    died = rng.binomial(n, 1 / (1 + np.exp(-2 * (dose - np.linspace(-0.5, 0.5, 6)[:, None]))))
    np.save("died.npy", died)
    np.save("of.npy", n)
    np.savetxt("dose.txt", dose)
    model, start = "1/(1 + exp(-k*(dose - LD50)))", {"k": 1, "LD50": 0}
    expected = mq.fit_many(model, {"dose": dose}, died, start=start, family="binomial", trials=n)
    flags = ["--family", "binomial", "--start", "k=1,LD50=0"]
    stack = ["died.npy", f"y ~ {model}", "--along", "dose", "--x", "dose=dose.txt", "--trials", "of.npy"]
    assert batch(*stack, *flags, "--out", "fits.npz") == 0
    with np.load("fits.npz") as file:
        np.testing.assert_allclose(file["LD50"], expected.params["LD50"], rtol=1e-9)
    columns = {"lot": np.repeat(np.arange(6), 9), "dose": np.tile(dose, 6)}
    pd.DataFrame({**columns, "died": died.ravel(), "of": n.ravel()}).to_csv("beetles.csv", index=False)
    table = ["beetles.csv", f"died ~ {model}", "--by", "lot", "--trials", "of"]
    assert batch(*table, *flags, "--out", "fits.csv") == 0
    np.testing.assert_allclose(pd.read_csv("fits.csv")["LD50"], expected.params["LD50"], rtol=1e-6)


def test_pictures_of_spots_are_fitted_along_both_of_their_dimensions():
    spots = simulate.spots(20, size=11)
    tifffile.imwrite("spots.tif", spots.images.astype(np.float32), metadata={"axes": "TYX"})
    start = ",".join(f"{name}={value}" for name, value in spots.start.items())
    assert batch("spots.tif", spots.formula, "--along", "y,x", "--start", start, "--out", "spots.csv") == 0
    found = pd.read_csv("spots.csv")
    assert len(found) == 20
    assert np.abs(found["x0"] - spots.truth["x0"]).max() < 0.2
    assert np.abs(found["y0"] - spots.truth["y0"]).max() < 0.2


def write_table(name: str, groups: int = 12) -> pd.DataFrame:
    made = simulate.decays(groups)
    frame = pd.DataFrame({
        "plate": np.repeat([f"P{k // 4}" for k in range(groups)], 32),
        "well": np.repeat(np.arange(groups) % 4, 32),
        "t": np.tile(made.x, groups),
        "y": made.y.ravel(),
    })  # fmt: skip
    if name.endswith("csv"):
        frame.to_csv(name, index=False)
    else:
        frame.to_parquet(name)
    return frame


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_table_becomes_one_row_for_each_group(name, capsys):
    frame = write_table(name)
    assert (
        batch(name, FORMULA, "--by", "plate,well", "--start", "a=100,tau=2,b=10", "--out", "found.csv") == 0
    )
    assert "12 groups by plate, well: 12 converged" in capsys.readouterr().out
    found = pd.read_csv("found.csv")
    expected = mq.fit_groups(frame, FORMULA, ["plate", "well"], start={"a": 100, "tau": 2, "b": 10})
    assert found["plate"].tolist() == expected["plate"].tolist()
    np.testing.assert_allclose(found["tau"], expected["tau"], rtol=1e-9)


def test_fits_that_are_not_certified_make_the_exit_code_1_and_pixels_without_data_do_not():
    np.save("half.npy", np.where(np.arange(3)[:, None] == 1, np.nan, np.exp(-np.arange(8.0) / 2)[None]))
    assert batch("half.npy", "y ~ a*exp(-t/tau)", "--along", "t", "--start", "a=2,tau=1") == 0
    np.save("flat.npy", np.stack([np.exp(-np.arange(8.0) / 2), np.ones(8)]))
    assert batch("flat.npy", "y ~ a*exp(-t/tau)", "--along", "t", "--start", "a=2,tau=1") == 1


def test_a_checkpoint_is_kept_and_used(tmp_path):
    where = ["stack.npy", FORMULA, "--along", "t=0", "--x", "t=t.txt", "--mask", "seen.npy", *START]
    assert batch(*where, "--checkpoint", "run.npz", "--out", "one.npy") == 0
    assert (tmp_path / "run.npz").exists()
    assert batch(*where, "--checkpoint", "run.npz", "--out", "two.npy") == 0
    np.testing.assert_array_equal(np.load("one.npy"), np.load("two.npy"))


WRONG = [
    (["stack.npy", FORMULA], "--along is needed: the dimension that fits run along; stack.npy has 0 (16)"),
    (["stack.npy", FORMULA, "--along", "t=0", "--out", "fits.xyz"], "--out fits.xyz: say by its ending"),
    (["stack.npy", FORMULA, "--along", "t=0", "--out", "no/fits.nc"], "there is no folder no"),
    (["stack.npy", FORMULA, "--along", "t=0", "--by", "plate"], "--by is for tables; stack.npy is an array"),
    (["stack.npy", FORMULA, "--along", "t=0", "--mask", "absent"], "no such variable of stack.npy"),
    (["stack.npy", FORMULA, "--along", "t=0", "--mask", "t.txt"], "no such file"),
    (["cube.nc", FORMULA, "--along", "t", "--sigma", "y"], "--sigma y"),
    (["absent.tif", FORMULA, "--along", "t"], "absent.tif cannot be read: there is no such file"),
    (["table.csv", FORMULA], "--by is needed: the columns of table.csv that tell its groups"),
    (["table.csv", FORMULA, "--by", "plat"], "table.csv has no column `plat`"),
    (["table.csv", "y ~ a*plate", "--by", "well"], "is not a number"),
    (["table.csv", FORMULA, "--by", "plate", "--along", "t"], "--along is for arrays"),
    (["stack.npy", FORMULA, "--along", "t=0", "--start", "q=1"], "'q'"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG)
def test_bad_input_is_named_with_what_to_do(arguments, words, capsys):
    write_table("table.csv")
    assert batch(*arguments) == 2
    assert words in capsys.readouterr().err
