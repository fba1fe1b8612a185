"""Least squares with sparse Jacobians: normal equations by sparse Cholesky."""
