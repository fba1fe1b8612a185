"""Nonlinear least squares: exact derivatives of plain NumPy functions, a native core, honest results."""

__version__ = "0.1.0"
