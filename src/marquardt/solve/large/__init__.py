"""Solving a large problem: the loop, its rules, what it returns and what is known about the end."""
