"""Options of single fits that many fits do not have, and what to do instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import OptionError, suggestion

ONE_BY_ONE = "call fit() in a loop"
INSTEAD = {
    "ties": "write what is tied into the model, def f(x, a, b): c = 2*a; ...",
    "prior": f"keep the parameter in bounds=, give it a value by fixed=, or {ONE_BY_ONE}",
    "ridge": f"keep the parameters in bounds=, or {ONE_BY_ONE}",
    "by": "groups of the rows of a table are for fit_groups()",
    "group": "data sets that share parameters are one fit: fit(..., group=, shared=)",
    "shared": "data sets that share parameters are one fit: fit(..., group=, shared=)",
    "data": "a table is for fit_groups(); here x and Y are arrays",
    "missing": "NaN is missing, and left out",
    "starts": 'start="search" searches every fit for its start',
    "method": f"many fits have one method; to compare methods {ONE_BY_ONE}",
    "damping": f"many fits have one method; to compare methods {ONE_BY_ONE}",
    "acceleration": f"many fits have one method; to compare methods {ONE_BY_ONE}",
    "options": f"threads= is an argument of its own; for the others {ONE_BY_ONE}",
    "callback": "progress= is called while they are made",
}


def refuse(function: str, options: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raises OptionError for options of `fit`, TypeError for what no function here has.

    >>> refuse("fit_many", {"by": "plate"}, ())
    Traceback (most recent call last):
    marquardt.errors.OptionError: fit_many() has no by=: groups of the rows of a table are for fit_groups()
    """
    for name in options:
        if name in INSTEAD:
            raise OptionError(f"{function}() has no {name}=: {INSTEAD[name]}")
        raise TypeError(f"{function}() has no argument {name!r}{suggestion(name, known)}")
