"""Curve fitting, one client of `problem`: data, parameters, starting values, `fit` and its result."""
