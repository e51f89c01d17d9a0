"""A picture as plain data: what a checkup has measured, for every report to draw in its own way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from trainhealth.logged_numbers import to_number


@dataclass(frozen=True, slots=True)
class Figure:
    """Bars (a value a label) or curves (values over `x`) with a title that says what is to be seen.

    NaN in a curve is a gap; infinity stands for what overflowed.
    """

    title: str
    kind: Literal["bars", "curve"]
    series: Mapping[str, tuple[float, ...]]  # name -> values, all of one length
    labels: tuple[str, ...] = ()  # of the bars
    x: tuple[float, ...] = ()  # of the curves
    x_name: str = ""
    y_name: str = ""
    log_x: bool = False
    log_y: bool = False
    marks: Mapping[str, float] | None = None  # places on the x axis with a meaning: "suggested" -> 0.01

    def to_dict(self) -> dict[str, Any]:
        """Return the figure as JSON types; numbers that are not finite as the strings that the log uses."""
        return {
            "title": self.title,
            "kind": self.kind,
            "series": {name: [to_number(value) for value in values] for name, values in self.series.items()},
            "labels": list(self.labels),
            "x": [to_number(value) for value in self.x],
            "x_name": self.x_name,
            "y_name": self.y_name,
            "log_x": self.log_x,
            "log_y": self.log_y,
            "marks": dict(self.marks or {}),
        }
