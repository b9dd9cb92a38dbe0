"""What is observed in a model, and what was published of it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, Tag, model_validator

from polycrine.catalogue.entries import Record
from polycrine.catalogue.yamltext import TAG
from polycrine.model.events import tag_of
from polycrine.model.texts import Interval
from polycrine.units import quantity

FEATURES = ("start", "peak", "peak time", "end", "area")  # of a course over time
UNTREATED = "untreated"  # what a run without an arm is called
Assay = Literal["total", "free", "complexed"]


class Panel(Record):
    """A cytokine panel measured in the fluid of a place.

    assay: whether it sees molecules that are free, bound to soluble partners and drugs, or both.
    """

    panel: str
    every: Interval
    assay: Assay = "total"


class Read(Record):
    """An inner signal, protein, mRNA or receptor of a cell type, such as pSTAT3 in monocytes."""

    read: str
    place: str = Field(alias="in")
    every: Interval


class Count(Record):
    """The number of cells of a type."""

    count: str
    every: Interval


class Picture(Record):
    """Fields and cells of a tissue, whole."""

    picture: str
    every: Interval


class Expectation(Record):
    """What was published of what a scenario shows, as bounds on a read-out.

    of: `IL6 in blood`, `count of neutrophil`, `pSTAT3 in hepatocyte`; value: `start`, `peak`, `peak
    time`, `end`, `area` (above the start, x h), or the level `at` a time such as `at 24 h`; over:
    the same of another arm, or the `start`, of which it is a multiple. low, high: in the unit of
    the read-out (hours, or a plain number); published: in the words of the source; fitted: whether
    numbers were chosen so that it holds.
    """

    claim: str
    of: str
    value: str
    arm: str = UNTREATED
    over: str | None = None
    low: float
    high: float
    unit: str = ""
    published: str
    source: str
    fitted: bool = False

    @model_validator(mode="after")
    def _is_readable(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"the lower bound {self.low} is above the upper one {self.high}")
        if self.value.startswith("at "):
            quantity(self.value.removeprefix("at "), "duration")
        elif self.value not in FEATURES:
            instead = ", ".join(FEATURES)
            raise ValueError(f"'{self.value}' is none of {instead} and no time ('at 24 h')")
        return self


Observation = Annotated[
    Annotated[Panel, Tag(TAG + "panel")]
    | Annotated[Read, Tag(TAG + "read")]
    | Annotated[Count, Tag(TAG + "count")]
    | Annotated[Picture, Tag(TAG + "picture")],
    tag_of("panel", "read", "count", "picture"),
]
