"""When the integrator must halt, and what it does there."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    """At a time (min), add to a species or set a parameter, named by its position."""

    time: float
    adds: bool
    index: int
    value: float


@dataclass(frozen=True)
class Stop:
    """A time (min) at which the integrator halts: it is observed first, then acted upon."""

    time: float
    observed: bool
    actions: tuple[Action, ...] = ()
