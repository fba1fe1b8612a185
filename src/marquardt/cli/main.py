"""Arguments in, exit code out: 0 certified, 1 fitted but not certified, 2 bad input, named in a sentence."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, get_args

import marquardt

from ..errors import MarquardtError
from ..options import METHODS
from ..solve.large.settings import Solver

BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 2, 130, 141

_FIT_HELP = """\
Fit a formula to the columns of a file and print a report.

  marquardt fit decay.csv "y ~ a*exp(-b*t) + c"
  marquardt fit assay.tsv "v ~ Vmax*S/(Km + S)" --start Vmax=200,Km=0.1 --bounds Km=0: --plot fit.png
  marquardt fit Misra1a.dat --start b1=500,b2=0.0001          (a NIST file brings its formula along)
  marquardt fit growth.csv "y ~ logistic4(x)"                 (`marquardt models` lists what there is)

In the formula, names of columns are data and all others are parameters; ^ and ** are powers; functions are
those of NumPy (exp, log, sqrt, sin, arctan, min, max, where(condition, a, b), ...) and erf, gamma,
voigt_profile, ...; the constant is pi. Names with spaces stand in back quotes. Starting values are optional.

The file is CSV, TSV, separated by semicolons or by white space, gzip or not, or a NIST StRD .dat file; - is
standard input. Lines that start with # are comments. The first line may hold names; without it the names are
x and y for two columns, and c1, c2, ... otherwise. Empty cells, NA and NaN are missing. A Parquet file, a
pattern of them in quotes or a directory is read block by block and may be larger than memory.

Exit code: 0 a certified minimum that is unique; 1 any other end; 2 bad input."""


_BATCH_HELP = """\
Fit a formula many times: to every pixel of a stack, every row of an array, every group of a table.

  marquardt batch stack.npy "y ~ a*exp(-t/tau) + b" --along t=0 --x t=0:12.5 --out fits.npz
  marquardt batch cube.nc "y ~ a*exp(-time/tau)" --along time --start a=1,tau=2 --out fits.nc --map maps.png
  marquardt batch spots.tif "z ~ a*exp(-((x-x0)^2 + (y-y0)^2)/(2*s^2)) + b" --along y=1,x=2 --family poisson
  marquardt batch plates.csv "v ~ Vmax*S/(Km + S)" --by plate,well --out estimates.csv

Arrays: .npy, .npz, .nc, .zarr, .h5, .tif; --along says which dimensions a fit runs along, by name, or as
NAME=NUMBER where they have no names, counting from 0; all others number the fits. The independent variable
is the coordinate in the file, --x NAME=VALUES, or else 0, 1, 2, ... The left side of the formula is a name
for the data. NaN is missing.

Tables: .csv, .tsv, .txt, .parquet, with --by COLUMN,...; names in the formula are columns.

--out writes .nc, .zarr, .npz, .npy, .h5, .tif, .csv, .parquet, by the ending of its name.

Exit code: 0 every fit that has data is certified; 1 some are not; 2 bad input; 130 interrupted, what is
done is written."""


_SOLVE_HELP = """\
Solve a large problem: rebuild a world from images, straighten a way from measurements along it.

  marquardt solve problem.txt --html view.html          (bundle adjustment, format BAL)
  marquardt solve graph.g2o --start chordal --out straight.g2o
  marquardt solve colmap/sparse/0 --loss huber:1 --ply cloud.ply --out better

A file is read as it is, with gzip or with bzip2. A COLMAP model is a folder with cameras.txt, images.txt and
points3D.txt. --out writes the solution in the format that was read, --ply the points with the cameras as a
cloud, --html a view of before and after to turn around in a browser, one file that works offline.

Exit code: 0 a tolerance was reached; 1 any other end; 2 bad input; 130 interrupted, the best point so far is
reported and written."""


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(
        prog="marquardt", description="Nonlinear least squares with results that tell the truth."
    )
    top.add_argument("--version", action="version", version=f"marquardt {marquardt.__version__}")
    commands = top.add_subparsers(dest="command", metavar="{fit,batch,solve,models,nist,mgh,demo}")
    _add_fit(commands.add_parser(
        "fit", help="fit a formula to a file", description=_FIT_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ))  # fmt: skip
    _add_batch(commands.add_parser(
        "batch", help="fit a formula to every pixel, trace or group of a file", description=_BATCH_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ))  # fmt: skip
    _add_solve(commands.add_parser(
        "solve", help="solve a large problem: bundle adjustment, a pose graph", description=_SOLVE_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ))  # fmt: skip
    models = commands.add_parser(
        "models", help="the built-in models", description="List the models that a formula may call by name."
    )
    models.add_argument("names", nargs="*", metavar="NAME", help="print all about these models")
    nist = commands.add_parser(
        "nist", help="the certified problems of NIST, digit by digit",
        description="Fit the 27 NIST StRD problems from both published starts and count correct digits.",
    )  # fmt: skip
    nist.add_argument(
        "folder", nargs="?", metavar="DIR", help="folder with .dat files (default: those in the package)"
    )
    mgh = commands.add_parser(
        "mgh", help="every method on the problems of Moré, Garbow and Hillstrom",
        description="Minimize the 35 problems from the standard start times 1, 10 and 100 and count what is "
        "solved, certified, and claimed falsely.",
    )  # fmt: skip
    mgh.add_argument("methods", nargs="*", metavar="METHOD", help=f"of {', '.join(METHODS)} (default: all)")
    mgh.add_argument("--runs", action="store_true", help="print every run as well")
    demo = commands.add_parser(
        "demo", help="fit real data and draw it, or watch the methods dance",
        description="Without a name: fit an enzyme assay and a NIST problem, print the reports and write "
        "plots. With a name: walk one problem by several methods, print who arrived, draw their ways.",
    )  # fmt: skip
    demo.add_argument(
        "name", nargs="?", metavar="NAME", help="a demo of the methods; `marquardt demo list` shows all"
    )
    demo.add_argument(
        "--out", default="demo", metavar="DIR", help="folder for plots and HTML reports (default: demo)"
    )
    return top


def _add_fit(fit: argparse.ArgumentParser) -> None:
    fit.add_argument("file", metavar="FILE", help="table of numbers, or - for standard input")
    fit.add_argument("formula", nargs="?", help='such as "y ~ a*exp(-b*x) + c"')
    each = {"action": "append", "default": [], "metavar": "NAME=VALUE,..."}
    fit.add_argument("--start", help="starting values: a=1,b=2", **each)  # type: ignore[arg-type]
    fit.add_argument("--fix", help="parameters held at a value: c=0", **each)  # type: ignore[arg-type]
    fit.add_argument(
        "--bounds", action="append", default=[], metavar="NAME=LOW:HIGH,...",
        help="either side may be empty: a=0:,b=:5,c=1:2; also of expressions: a - b=0:",
    )  # fmt: skip
    fit.add_argument(
        "--tie", action="append", default=[], metavar="NAME=EXPRESSION",
        help="a parameter as an expression of others, or of new ones: w2=2*w1; may be repeated",
    )  # fmt: skip
    fit.add_argument(
        "--prior", action="append", default=[], metavar="NAME=MEAN:SD,...",
        help="what is known of parameters beforehand: a=1:0.1 is a = 1 with standard deviation 0.1",
    )  # fmt: skip
    fit.add_argument(
        "--ridge", action="append", default=[], metavar="NUMBER",
        help="add half of NUMBER times the squares of all parameters to the cost; or by name: a=0.1,b=1",
    )  # fmt: skip
    fit.add_argument(
        "--by", action="append", default=[], metavar="COLUMN",
        help="separate fits of the groups that a column of labels tells apart; may be repeated",
    )  # fmt: skip
    fit.add_argument(
        "--group", action="append", default=[], metavar="COLUMN",
        help="one fit of all such groups, with --shared parameters and others for each group",
    )  # fmt: skip
    fit.add_argument(
        "--shared", action="append", default=[], metavar="NAME,...", help="parameters that all groups share"
    )
    fit.add_argument("--method", default="auto", help=f"of {', '.join(METHODS)}")
    fit.add_argument(
        "--damping", metavar="RULE", help="of levenberg and marquardt: nielsen, classic, delayed"
    )
    fit.add_argument("--trace", action="store_true", help="print the log of all steps after the report")
    fit.add_argument(
        "--sigma", metavar="COLUMN",
        help="known standard deviations: a column, a number, or a formula of columns and of the prediction "
        "mu, such as 0.05*mu + 2",
    )  # fmt: skip
    fit.add_argument(
        "--weights", metavar="COLUMN",
        help="relative weights: a column, a number, or a formula, such as 1/mu^2",
    )  # fmt: skip
    fit.add_argument(
        "--covariance", metavar="FILE",
        help="covariance matrix of the response, a row of numbers for each row of the table",
    )  # fmt: skip
    fit.add_argument(
        "--loss", default="linear", metavar="NAME",
        help="for data with outliers: huber, soft_l1, cauchy, arctan, geman_mcclure, tukey, welsch, "
        "barron(alpha), or a formula of the squared residual such as '2*(sqrt(1 + z) - 1)'",
    )  # fmt: skip
    fit.add_argument(
        "--f-scale", metavar="NUMBER",
        help="where residuals begin to count as outliers; without it taken from the noise",
    )  # fmt: skip
    fit.add_argument(
        "--family", metavar="NAME",
        help="for counts: poisson, or binomial (counts of --trials, or proportions); the model is their mean",
    )  # fmt: skip
    fit.add_argument(
        "--trials", metavar="COLUMN", help="numbers of trials: a column, a number, or a formula of columns"
    )
    fit.add_argument(
        "--starts", type=int, metavar="NUMBER",
        help="how many starts are tried where --start names none; without it until a better end is unlikely",
    )  # fmt: skip
    fit.add_argument(
        "--drop-missing", action="store_true", help="leave out rows with missing values, and count them"
    )
    fit.add_argument(
        "--plot", metavar="FILE", help="draw data, curve, confidence band and residuals (png, pdf, svg)"
    )
    fit.add_argument("--html", metavar="FILE", help="write the report and the explorer as a web page")
    fit.add_argument(
        "--json", metavar="FILE", help="write the result as JSON; - is standard output, without the report"
    )


def _add_batch(batch: argparse.ArgumentParser) -> None:
    batch.add_argument("file", metavar="FILE", help="stack, cube or table")
    batch.add_argument("formula", help='such as "y ~ a*exp(-t/tau) + b"')
    each: dict[str, Any] = {"action": "append", "default": []}
    batch.add_argument(
        "--along", metavar="NAME[=DIM],...", help="dimensions of the file that a fit runs along", **each
    )
    batch.add_argument(
        "--x", metavar="NAME=VALUES",
        help="values of an independent variable: FIRST:LAST evenly, a file, a variable; may be repeated",
        **each,
    )  # fmt: skip
    batch.add_argument("--variable", metavar="NAME", help="which variable of the file is fitted")
    batch.add_argument("--by", metavar="COLUMN,...", help="columns of a table that tell its groups", **each)
    batch.add_argument(
        "--start", metavar="NAME=VALUE,...",
        help="starting values; without them each fit finds its own. neighbours: fits that fail or stand out "
        "are tried again from those beside them", **each,
    )  # fmt: skip
    batch.add_argument("--fix", metavar="NAME=VALUE,...", help="parameters held at a value", **each)
    batch.add_argument(
        "--bounds", metavar="NAME=LOW:HIGH,...", help="either side may be empty: a=0:,b=:5,c=1:2", **each
    )
    batch.add_argument(
        "--sigma", metavar="WHAT",
        help="known standard deviations: a number, a variable or column, or a file shaped like the data",
    )  # fmt: skip
    batch.add_argument(
        "--mask", metavar="WHAT", help="which fits are made: a variable or file, not 0 where one is wanted"
    )
    batch.add_argument("--loss", default="linear", metavar="NAME", help="for data with outliers, as in fit")
    batch.add_argument("--f-scale", metavar="NUMBER", help="where residuals begin to count as outliers")
    batch.add_argument("--family", metavar="NAME", help="for counts: poisson, or binomial (of --trials)")
    batch.add_argument(
        "--trials", metavar="WHAT",
        help="numbers of trials: a number, a variable or column, or a file shaped like the data",
    )  # fmt: skip
    batch.add_argument("--precision", default="double", metavar="NAME", help="double, or single: faster")
    batch.add_argument("--threads", type=int, metavar="NUMBER", help="default: all cores")
    batch.add_argument(
        "--checkpoint", metavar="FILE", help=".npz or .zarr: an interrupted run goes on where it was"
    )
    batch.add_argument("--out", metavar="FILE", help="where the estimates are written")
    batch.add_argument("--map", metavar="FILE", help="draw a map of each parameter (png, pdf, svg)")
    batch.add_argument("--quiet", action="store_true", help="no line of progress")


def _add_solve(solve: argparse.ArgumentParser) -> None:
    solve.add_argument("file", metavar="FILE", help="BAL problem, g2o pose graph, or COLMAP folder")
    solve.add_argument(
        "--loss", metavar="NAME:SCALE",
        help="for false observations: huber:1, cauchy:2, ...; the scale in pixels or standard deviations",
    )  # fmt: skip
    solve.add_argument(
        "--robust", metavar="gnc[:SCALE]",
        help="find false observations, or closures of a pose graph, by graduated non-convexity; the scale is "
        "the largest error believed",
    )  # fmt: skip
    solve.add_argument(
        "--fix", action="append", default=[], metavar="NAME:INDEX,...",
        help="hold at their start: camera:0, camera:0-9, point:17, pose:3, image:0",
    )  # fmt: skip
    solve.add_argument(
        "--start", default="file", choices=("file", "chordal"), help="of a pose graph: chordal needs no start"
    )
    solve.add_argument("--method", default="lm", choices=("lm", "dogleg", "gauss-newton"))
    solve.add_argument("--solver", default="auto", choices=get_args(Solver))
    solve.add_argument("--max-iterations", type=int, metavar="NUMBER", help="most steps (default: 500)")
    solve.add_argument("--max-time", type=float, metavar="SECONDS", help="most seconds")
    solve.add_argument("--ftol", type=float, metavar="NUMBER", help="smallest relative change of the cost")
    solve.add_argument("--threads", type=int, metavar="NUMBER", help="default: all cores")
    solve.add_argument("--covariance", action="store_true", help="print how well places are known")
    solve.add_argument("--out", metavar="FILE", help="where the solution is written")
    solve.add_argument("--ply", metavar="FILE", help="write points and cameras as a cloud")
    solve.add_argument("--html", metavar="FILE", help="write a view of before and after as a web page")
    solve.add_argument("--quiet", action="store_true", help="no line for each step")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; `argv` defaults to the arguments of the process. Returns the exit code."""
    top = parser()
    try:
        arguments = top.parse_args(argv)
    except SystemExit as stop:  # --help and --version 0, wrong usage 2
        return int(stop.code or 0)
    if arguments.command is None:
        top.print_help(sys.stderr)
        return BAD_INPUT
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except MarquardtError as error:
        print(f"marquardt: error: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:  # an output file that cannot be written
        print(f"marquardt: error: {error.filename or 'output'}: {error.strerror or error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("marquardt: interrupted", file=sys.stderr)
        return INTERRUPTED


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "fit":
        from .fit import run
    elif arguments.command == "batch":
        from .batch import run
    elif arguments.command == "solve":
        from .solve import run
    elif arguments.command == "models":
        from .models import run
    elif arguments.command == "nist":
        from .nist import run
    elif arguments.command == "mgh":
        from .mgh import run
    else:
        from .demo import run
    return run(arguments)
