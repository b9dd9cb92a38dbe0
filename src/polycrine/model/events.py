"""What happens in a model: doses, blocks, knock-outs, infections, injuries, and what does not."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from polycrine.catalogue.entries import Record, Route
from polycrine.catalogue.yamltext import TAG
from polycrine.model.texts import Duration, Interval, Length, text_of


class Give(Record):
    """A dose of a molecule or drug: a bolus at a time, an infusion `over` a duration, or repeats.

    into: a fluid, the plasma where nothing is written; route: another way than into a fluid;
    loading: the first dose, where it differs.
    """

    give: str
    dose: str | None = None
    loading: str | None = None
    concentration: str | None = None
    into: str | None = None
    route: Route | None = None
    at: Duration = "0 h"
    over: Interval | None = None
    every: Interval | None = None
    times: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.dose is None) == (self.concentration is None):
            raise ValueError("give either 'dose' or 'concentration'")
        if self.concentration is not None and self.over is not None:
            raise ValueError("an infusion 'over' a time needs a 'dose', not a 'concentration'")
        if self.route is not None and self.into is not None:
            raise ValueError("give either 'into', a fluid, or 'route'")
        if self.route is not None and (self.over is not None or self.dose is None):
            raise ValueError(f"a dose {self.route} is a 'dose' at once")
        if self.loading is not None and (self.every is None or self.dose is None):
            raise ValueError("'loading' is the first of several doses: give 'dose' and 'every' too")
        if (self.times > 1) != (self.every is not None):
            raise ValueError("'every' and 'times' (2 or more) go together")
        return self


class Block(Record):
    """From a time on, a receptor or a molecule binds nothing any more."""

    block: str
    at: Duration = "0 h"


class KnockOut(Record):
    """A gene product that was never made, not even before time zero."""

    knock_out: str


class Infect(Record):
    """Bacteria that are put into the middle of a tissue, or into a stirred place."""

    infect: str
    bacteria: str = Field(alias="with")
    count: Annotated[str, text_of("number", positive=True)]
    at: Duration = "0 h"


class Injure(Record):
    """Cells die and spill what they hold: in a tissue at once all within a radius of its middle, in
    a stirred place a share of those that are there, over a time."""

    injure: str
    radius: Length | None = None
    share: Annotated[str, text_of("number", positive=True)] | None = None
    at: Duration = "0 h"
    over: Interval = "1 min"

    @model_validator(mode="after")
    def _one_extent(self) -> Self:
        if (self.radius is None) == (self.share is None):
            raise ValueError("give 'radius' in a tissue, 'share' in a stirred place")
        return self


class Without(Record):
    """What does not happen: infection, injury, the doses of the model itself (not of this arm); for
    cells of a type, entry or chemotaxis."""

    without: Literal["infection", "injury", "doses", "entry", "chemotaxis"]
    cells: str | None = Field(default=None, alias="of")

    @model_validator(mode="after")
    def _of_whom(self) -> Self:
        if (self.without not in ("entry", "chemotaxis")) != (self.cells is None):
            raise ValueError(
                "'entry' and 'chemotaxis' are of a cell type: add 'of', and only there"
            )
        return self


def tag_of(*keys: str) -> Discriminator:
    """Tells records of a union apart by the first of these keys that one has."""

    def which(value: Any) -> str:
        held = value if isinstance(value, dict) else value.model_dump(by_alias=True)
        return TAG + next((key for key in keys if key in held), keys[0])

    return Discriminator(which)


Event = Annotated[
    Annotated[Give, Tag(TAG + "give")]
    | Annotated[Block, Tag(TAG + "block")]
    | Annotated[KnockOut, Tag(TAG + "knock out")]
    | Annotated[Infect, Tag(TAG + "infect")]
    | Annotated[Injure, Tag(TAG + "injure")]
    | Annotated[Without, Tag(TAG + "without")],
    tag_of("give", "block", "knock out", "infect", "injure", "without"),
]
