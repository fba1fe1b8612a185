"""``curve_fit``, ``least_squares`` and ``leastsq`` with SciPy's signatures, run by marquardt.

Change one import: ``from marquardt.compat.scipy import curve_fit, least_squares, leastsq``. What runs, what
the tolerances and codes mean here, and what is handed to SciPy says ``docs/from-scipy.md``.

>>> import numpy as np
>>> x = np.linspace(0, 4, 9)
>>> popt, pcov = curve_fit(lambda x, a, b: a * np.exp(-b * x), x, 3 * np.exp(-0.5 * x))
>>> popt.round(6)
array([3. , 0.5])
"""

from .curve_fit import curve_fit
from .least_squares import least_squares
from .leastsq import leastsq

__all__ = ["curve_fit", "least_squares", "leastsq"]
