"""Many fits of one model: the same verdicts and uncertainties as single fits, as arrays."""
