"""Quantities as text in a declaration, checked when they are read."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from polycrine.errors import UnitError
from polycrine.units import quantity


def text_of(kind: str, *, positive: bool = False) -> Any:
    """What checks that a text is a quantity of a kind, zero or more, or above zero."""

    def check(text: str) -> str:
        value = quantity(text, kind)
        if value < 0 or (positive and value == 0):
            raise UnitError(f"'{text}' must be {'above zero' if positive else 'zero or more'}")
        return text

    return AfterValidator(check)


Duration = Annotated[str, text_of("duration")]
Interval = Annotated[str, text_of("duration", positive=True)]
Volume = Annotated[str, text_of("volume", positive=True)]
Length = Annotated[str, text_of("length", positive=True)]
Coordinate = Annotated[str, text_of("length")]
Tolerance = Annotated[float, Field(gt=0, le=1e-2)]
