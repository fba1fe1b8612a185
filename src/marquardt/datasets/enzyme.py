"""An enzyme assay: velocities of galactosyltransferase, the Michaelis-Menten example of Bates and Watts."""

from __future__ import annotations

import numpy as np

from .dataset import Dataset

UNITS = {"S": "ppm", "v": "counts/min²", "Vmax": "counts/min²", "Km": "ppm"}
SOURCE = "Treloar (1974), as printed in Bates and Watts (1988), Nonlinear Regression Analysis, table A1.3"


def michaelis_menten(treated: bool = True) -> Dataset:
    """Substrate concentration ``S`` (ppm) and velocity ``v`` (counts/min per min), with or without puromycin.

    Bates and Watts fit ``v ~ Vmax*S/(Km + S)`` with Vmax = 212.7 and Km = 0.0641 to the treated enzyme.

    >>> michaelis_menten()
    Dataset('puromycin_treated', 12 rows, columns S, v)
    """
    from importlib.resources import files  # not at the top: it would cost `import marquardt` 10 ms

    name = "puromycin_treated" if treated else "puromycin_untreated"
    lines = (files(__package__) / f"{name}.csv").read_text("utf-8").splitlines()
    header, *rows = [line for line in lines if not line.startswith("#")]
    table = np.array([[float(cell) for cell in row.split(",")] for row in rows])
    columns = {key: np.ascontiguousarray(table[:, k]) for k, key in enumerate(header.split(","))}
    return Dataset(name, "v ~ Vmax*S/(Km + S)", SOURCE, columns, units=UNITS)
