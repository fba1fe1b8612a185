"""The chart of a fit to complex data for the page: the complex plane, and both parts with their residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .charts import ZERO, Chart, axis, dots, layout, line, numbers, some
from .figure import ACCENT, CALM, INK
from .series_complex import plane

if TYPE_CHECKING:
    from ..curve.result import FitResult


def complex_chart(fit: FitResult, level: float = 0.95) -> Chart:
    """The complex plane to the left; to the right real and imaginary part over x, and their residuals."""
    shown = plane(fit, level)
    pick, wild, size = some(shown.z.size), shown.outliers, 3 if shown.many else 7
    seen, curve = shown.z[pick], shown.line
    data = [
        dots(seen.real, shown.imaginary(seen), "data", INK, size=size),
        line(curve.real, shown.imaginary(curve), "fit", ACCENT),
    ]
    if wild.size:
        ring = shown.z[wild]
        data.append(dots(ring.real, shown.imaginary(ring), "outliers", ACCENT, "circle-open", 13))
    for part, color in zip(shown.parts(), (INK, CALM), strict=True):
        here, below = {"xaxis": "x2", "yaxis": "y2"}, {"xaxis": "x2", "yaxis": "y3"}
        if part.lower is not None and part.upper is not None:
            x = np.concatenate([shown.line_x, shown.line_x[::-1]])
            y = np.concatenate([part.upper, part.lower[::-1]])
            fill = {"fill": "toself", "fillcolor": "rgba(192,57,43,0.18)", "hoverinfo": "skip"}
            data.append(line(x, y, "band", ACCENT, line={"width": 0}, showlegend=False, **fill, **here))
        points = {**dots(shown.x[pick], part.data[pick], part.name, color, size=size), **here}
        if part.sigma is not None and not shown.many:
            points["error_y"] = {"type": "data", "array": numbers(part.sigma[pick]), "color": color}
        data += [points, line(shown.line_x, part.line, "fit", ACCENT, showlegend=False, **here)]
        left = dots(shown.x[pick], part.residuals[pick], "residual", color, size=size)
        data.append({**left, **below, "showlegend": False})
    axes = {
        "xaxis": axis(shown.names[0], domain=[0, 0.45]),
        "yaxis": axis(shown.names[1], scaleanchor="x", scaleratio=1),
        "xaxis2": axis(shown.x_name, domain=[0.57, 1], anchor="y3", type="log" if shown.log_x else "linear"),
        "yaxis2": axis(shown.z_name, domain=[0.34, 1], anchor="x2"),
        "yaxis3": axis(shown.residual_name, domain=[0, 0.26], anchor="x2", **ZERO),
    }
    return {"data": data, "layout": layout(520, **axes)}
