"""Small real data sets with their sources and readers; each serves as ``data=`` of a fit; test problems."""

from . import mgh, mgh_bounded, simulate, textbook
from .dataset import Dataset
from .digits import correct_digits, fewest_digits
from .enzyme import michaelis_menten
from .simulated import Simulated
from .strd import NistProblem, nist, nist_names, read_nist

__all__ = [
    "Dataset",
    "NistProblem",
    "Simulated",
    "correct_digits",
    "fewest_digits",
    "mgh",
    "mgh_bounded",
    "michaelis_menten",
    "nist",
    "nist_names",
    "read_nist",
    "simulate",
    "textbook",
]
