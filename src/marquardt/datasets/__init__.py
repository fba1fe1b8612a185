"""Small real data sets with their sources and readers; each serves as ``data=`` of a fit; test problems."""

from . import mgh, mgh_bounded, scenes, simulate, textbook
from .bal import BalProblem, parse_bal, read_bal
from .colmap import ColmapModel
from .colmap_text import read_colmap, write_colmap
from .dataset import Dataset
from .digits import correct_digits, fewest_digits
from .enzyme import michaelis_menten
from .ply import write_ply
from .posegraph import PoseGraph, parse_g2o, read_g2o
from .simulated import Simulated
from .strd import NistProblem, nist, nist_names, read_nist

__all__ = [
    "BalProblem",
    "ColmapModel",
    "Dataset",
    "NistProblem",
    "PoseGraph",
    "Simulated",
    "correct_digits",
    "fewest_digits",
    "mgh",
    "mgh_bounded",
    "michaelis_menten",
    "nist",
    "nist_names",
    "parse_bal",
    "parse_g2o",
    "read_bal",
    "read_colmap",
    "read_g2o",
    "read_nist",
    "scenes",
    "simulate",
    "textbook",
    "write_colmap",
    "write_ply",
]
