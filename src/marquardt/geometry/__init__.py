"""Rotations and cameras: plain NumPy functions to build residuals from, traced and differentiated exactly."""

from .cameras import bal, fisheye, opencv, pinhole, radial
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

__all__ = [
    "bal",
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
]
