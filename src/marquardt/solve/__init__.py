"""Minimize a problem: `minimize` runs the core's loop, `reference` is the same loop in readable NumPy."""
