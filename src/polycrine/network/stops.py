"""When the integrator must halt, and what it does there."""

from dataclasses import dataclass

from polycrine.network.network import Value


@dataclass(frozen=True)
class Action:
    """At a time (min), add to a species or set a parameter, named by its position.

    value: of the members of a batch it may be an array."""

    time: float
    adds: bool
    index: int
    value: Value


@dataclass(frozen=True)
class Stop:
    """A time (min) at which the integrator halts: it is observed first, then acted upon."""

    time: float
    observed: bool
    actions: tuple[Action, ...] = ()
