"""Other libraries' names for what marquardt does: ``marquardt.compat.scipy``."""
