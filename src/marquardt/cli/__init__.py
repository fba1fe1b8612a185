"""The command line: ``marquardt fit | nist | demo``; see ``marquardt --help``."""

from .main import main

__all__ = ["main"]
