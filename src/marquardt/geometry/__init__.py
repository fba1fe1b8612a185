"""Rotations and cameras: plain NumPy functions to build residuals from, traced and differentiated exactly."""

from .cameras import bal, fisheye, opencv, pinhole, radial
from .chordal import chordal_start
from .rotations import (
    cos_ratio,
    cross,
    inverse_quaternion,
    matrix_of,
    quaternion_of,
    quaternion_of_matrix,
    quaternion_product,
    rotate,
    rotate_by_quaternion,
    rotation_vector_of,
    sin_ratio,
)
from .triangulate import triangulate
from .two_view import TwoViews, two_view_start

__all__ = [
    "TwoViews",
    "bal",
    "chordal_start",
    "cos_ratio",
    "cross",
    "fisheye",
    "inverse_quaternion",
    "matrix_of",
    "opencv",
    "pinhole",
    "quaternion_of",
    "quaternion_of_matrix",
    "quaternion_product",
    "radial",
    "rotate",
    "rotate_by_quaternion",
    "rotation_vector_of",
    "sin_ratio",
    "triangulate",
    "two_view_start",
]
