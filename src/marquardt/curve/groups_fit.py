"""Which way groups are fitted: one by one, or all in one."""

from __future__ import annotations

from ..errors import OptionError
from .groups import Many, Task
from .groups_by import FitTable, fit_by
from .groups_result import GroupFit
from .groups_shared import fit_groups
from .setup import Request


def fit_many_groups(many: Many, wanted: Request, task: Task) -> FitTable | GroupFit:
    """Separate fits for ``by=``, one fit for ``group=`` with ``shared=``."""
    if many.by is not None and many.group is not None:
        raise OptionError("by= fits the groups one by one, group= all in one: give one of them")
    if many.group is not None:
        return fit_groups(many, wanted, task)
    if many.shared is not None:
        raise OptionError("shared= needs group=: the column that tells the groups apart")
    return fit_by(many, wanted, task)
