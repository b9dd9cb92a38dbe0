"""What a modeller declares: places, links, cells, the run, and all of it as one model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from polycrine.catalogue.entries import Record
from polycrine.catalogue.library import drug_named
from polycrine.catalogue.yamltext import TAG
from polycrine.model.events import Event, Give, KnockOut, Without
from polycrine.model.observations import Expectation, Observation
from polycrine.model.texts import Coordinate, Interval, Length, Tolerance, Volume, text_of
from polycrine.units import CUBIC_MICROMETRE, quantity


class Body(Record):
    """One person: doses per body mass use `weight`, blood levels `plasma`, counts `whole blood`."""

    weight: Annotated[str, text_of("body mass", positive=True)]
    plasma: Volume
    whole_blood: Volume


class Stirred(Record):
    """A stirred fluid; `volume: plasma` makes it the blood plasma of the body.

    filled_with: `healthy plasma` starts it at healthy concentrations (the body's plasma always
    does); otherwise it starts empty.
    """

    kind: Literal["stirred"]
    volume: str
    filled_with: Literal["healthy plasma"] | None = None

    @model_validator(mode="after")
    def _volume_is_one(self) -> Self:
        if self.volume != "plasma" and quantity(self.volume, "volume") <= 0:
            raise ValueError(f"'{self.volume}' must be above zero")
        return self


class Tissue(Record):
    """A piece of tissue in space (x, y, z) that stands for a larger volume of it.

    of: the tissue of the catalogue (fluid fraction, hindrance, lymph); faces: what lies beyond the
    piece, its mirror image (`closed`), its own other side (`periodic`), or the stirred place that
    it is linked with (`open`, as an explant in medium).
    """

    kind: Literal["tissue"]
    of: str
    size: tuple[Length, Length, Length]
    voxel: Length
    represents: Volume
    faces: Literal["closed", "periodic", "open"] = "closed"

    @property
    def lengths(self) -> tuple[float, float, float]:
        """The edges along x, y and z in um."""
        x, y, z = (quantity(edge, "length") for edge in self.size)
        return x, y, z

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y and x."""
        voxel = quantity(self.voxel, "length")
        x, y, z = (max(1, round(edge / voxel)) for edge in self.lengths)
        return z, y, x

    @property
    def piece(self) -> float:
        """The volume of the piece in L."""
        x, y, z = self.lengths
        return x * y * z * CUBIC_MICROMETRE

    @property
    def scale(self) -> float:
        """How many pieces make what it stands for."""
        return quantity(self.represents, "volume") / self.piece


def _kind(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return TAG + ("tissue" if kind == "tissue" else "stirred")


Place = Annotated[
    Annotated[Stirred, Tag(TAG + "stirred")] | Annotated[Tissue, Tag(TAG + "tissue")],
    Discriminator(_kind),
]


class Link(Record):
    """Two places that exchange: the same flow each way, or what passes the surface of a barrier.

    back: the flow from the second to the first, where that is another. A tissue with open faces
    needs neither.
    """

    between: tuple[str, str]
    flow: Annotated[str, text_of("clearance", positive=True)] | None = None
    back: Annotated[str, text_of("clearance", positive=True)] | None = None
    barrier: str | None = None
    surface: Annotated[str, text_of("area", positive=True)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.flow is not None and self.barrier is not None:
            raise ValueError("give either 'flow' or 'barrier' with its 'surface'")
        if self.back is not None and self.flow is None:
            raise ValueError("'back' is beside a 'flow'")
        if (self.barrier is None) != (self.surface is None):
            raise ValueError("'barrier' and 'surface' go together")
        return self


class Contact(Record):
    """Cells of a type in a stirred place, each of which touches others, so many at a time."""

    cells: str
    touch: tuple[str, ...]
    at_a_time: Annotated[float, Field(gt=0)] = 1.0


class Cells(Record):
    """Cells of one type in one place, as a count or per litre of whole blood (else of place).

    Without either, the program's count in a healthy adult holds; 0 where others become these. In a
    tissue the count is that of the piece, or `at` names each cell's place in it (x, y, z). enters:
    the place that they can enter from the blood.
    """

    place: str = Field(alias="in")
    program: str
    count: Annotated[str, text_of("number")] | None = None
    concentration: Annotated[str, text_of("cell concentration", positive=True)] | None = None
    at: tuple[tuple[Coordinate, Coordinate, Coordinate], ...] = ()
    enters: str | None = None

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        given = (self.count is not None, self.concentration is not None, bool(self.at))
        if sum(given) > 1:
            raise ValueError("give one of 'count', 'concentration' and 'at' of the cells")
        return self


class Stepping(Record):
    """The steps of a tissue, and what they may get wrong.

    longest: a power of two in minutes; misplaced: share of a molecule, beyond `level`, that a step
    may misplace; coupling: share of what is exchanged on which cells and fields may differ; solver:
    residual of a field; relative and absolute: per step of the cells' networks.
    """

    longest: Interval = "2 min"
    misplaced: Tolerance = 1e-2
    level: Annotated[str, text_of("concentration", positive=True)] = "1 pM"
    coupling: Tolerance = 1e-2
    solver: Tolerance = 1e-4
    relative: Tolerance = 1e-4
    absolute: Tolerance = 1e-4

    @model_validator(mode="after")
    def _is_dyadic(self) -> Self:
        if not math.log2(quantity(self.longest, "duration")).is_integer():
            raise ValueError(f"'{self.longest}' is no power of two in minutes: write '2 min'")
        return self


class Run(Record):
    """How long, from which seed, and to which tolerances (per step, of each variable's scale)."""

    duration: Interval = Field(alias="for")
    seed: int = 1
    relative_tolerance: Tolerance = 1e-7
    absolute_tolerance: Tolerance = 1e-9
    settle: Interval = "30 d"
    steps: Stepping = Stepping()


class Model(Record):
    """A whole declaration; anything not written comes from the catalogue.

    numbers: paths of the catalogue or of a program, such as `IL6.clearance`, with the author's
    own value; measured: a shipped table of measured levels to draw beside the run; expect: what
    was published of what it shows.
    """

    polycrine: Literal["1"] = "1"
    name: str
    about: str = ""
    body: Body | None = None
    places: dict[str, Place]
    links: tuple[Link, ...] = ()
    contacts: tuple[Contact, ...] = ()
    cytokines: tuple[str, ...]
    mediators: tuple[str, ...] = ()
    cells: dict[str, Cells] = {}
    numbers: dict[str, str] = {}
    events: tuple[Event, ...] = ()
    arms: dict[str, tuple[Event, ...]] = {}
    observe: tuple[Observation, ...]
    run: Run
    measured: str | None = None
    expect: tuple[Expectation, ...] = ()

    @property
    def gifts(self) -> tuple[Give, ...]:
        """Every dose of the model and of its arms."""
        return tuple(event for event in self.all_events if isinstance(event, Give))

    @property
    def drugs(self) -> tuple[str, ...]:
        """The drugs that are given, in the model or in an arm."""
        given = [key for gift in self.gifts if (key := drug_named(gift.give)) is not None]
        followed = (*self.cytokines, *self.mediators)
        return tuple(key for key in dict.fromkeys(given) if key not in followed)

    @property
    def molecules(self) -> tuple[str, ...]:
        """Everything that is followed in the fluids."""
        return (*self.cytokines, *self.mediators, *self.drugs)

    @property
    def plasma(self) -> str | None:
        """The place that is the body's blood plasma."""
        stirred = [(key, place) for key, place in self.places.items() if isinstance(place, Stirred)]
        return next((key for key, place in stirred if place.volume == "plasma"), None)

    @property
    def tissue(self) -> str | None:
        """The place that is a tissue."""
        tissues = (key for key, place in self.places.items() if isinstance(place, Tissue))
        return next(tissues, None)

    @property
    def all_events(self) -> tuple[Event, ...]:
        """The events of the model and of every arm."""
        return (*self.events, *(event for arm in self.arms.values() for event in arm))

    def with_run(self, *, duration: str | None = None, seed: int | None = None) -> Model:
        """The declaration with another duration or seed, where one is given; what is expected holds
        for its own duration."""
        seed = self.run.seed if seed is None else seed
        changes = {"duration": duration or self.run.duration, "seed": seed}
        kept = self.expect if duration in (None, self.run.duration) else ()
        run = self.run.model_copy(update=changes)
        return self.model_copy(update={"run": run, "expect": kept})

    def with_knock_outs(self, names: Sequence[str]) -> Model:
        """The declaration with an arm for each of these gene products knocked out, and for each two
        of them."""
        arms: dict[str, tuple[Event, ...]] = {
            f"without {name}": (KnockOut(knock_out=name),) for name in names
        }
        for one, other in combinations(names, 2):
            both = KnockOut(knock_out=one), KnockOut(knock_out=other)
            arms[f"without {one} and {other}"] = both
        return self.model_copy(update={"arms": {**self.arms, **arms}})

    def with_arm(self, arm: str) -> Model:
        """The declaration with the events of an arm, if it has one of this name, added."""
        own, events = self.arms.get(arm, ()), self.events
        if any(isinstance(event, Without) and event.without == "doses" for event in own):
            events = tuple(event for event in events if not isinstance(event, Give))
        return self.model_copy(update={"events": (*events, *own)})
