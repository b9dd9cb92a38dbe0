"""Events of a network: what happens when a condition becomes true, in SBML's order.

A condition on the state is found inside a step, to 1e-12 of it; one on time alone is a stop, which
no step can pass. Of all that is due, the highest priority happens first (of equal ones, one by
chance), and conditions are asked again after each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from polycrine.engine.driver import evaluate, foresee
from polycrine.network.code import Code
from polycrine.network.network import Floats, Network

TOO_MANY = 100_000  # happenings of one member between two calls


@dataclass(frozen=True)
class Occasion:
    """An event with the places of its trigger, delay and priority among the compiled values, and
    of each change: the species, the value, and its factor."""

    trigger: int
    delay: int
    priority: int
    changes: tuple[tuple[int, int, int], ...]
    persistent: bool
    before: bool
    early: bool


def occasions(network: Network) -> tuple[Occasion, ...]:
    """The events of a network as places among its compiled values."""
    found, at = [], 0
    for event in network.events:
        changes = tuple(
            (network.index(name), at + 3 + 2 * k, at + 4 + 2 * k)
            for k, (name, _, _) in enumerate(event.changes)
        )
        flags = event.persistent, event.before, event.early
        found.append(Occasion(at, at + 1, at + 2, changes, *flags))
        at += 3 + 2 * len(event.changes)
    return tuple(found)


def held_before(events: Sequence[Occasion]) -> Floats:
    """Which triggers count as true before the start."""
    return np.array([float(event.before) for event in events])


@dataclass(eq=False)
class Pending:
    """What has been triggered and is still to happen; values: of the moment of the trigger; with
    sensitivities, moved and slopes: how its time and what it changes depend on what is wanted."""

    time: float
    event: int
    values: Floats | None
    moved: Floats = field(default_factory=lambda: np.empty(0))
    slopes: Floats = field(default_factory=lambda: np.empty((0, 0)))


@dataclass
class Happenings:
    """The events of one member: which triggers held (its own array, or one given), and what is
    pending."""

    code: Code
    events: tuple[Occasion, ...]
    seed: int
    held: Floats = field(default_factory=lambda: np.empty(0))
    pending: list[Pending] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.size = sum(3 + 2 * len(event.changes) for event in self.events)
        if not self.held.size:
            self.held = held_before(self.events)

    @cached_property
    def chance(self) -> np.random.Generator:
        """By which events of equal priority take turns."""
        return np.random.Generator(np.random.Philox(key=self.seed))

    def values(self, t: float, y: Floats, p: Floats) -> Floats:
        """Everything that the events depend on, now."""
        out = np.empty(self.size)
        evaluate(self.code.values, t, y, p, out)
        return out

    def conditions(self, t: float, y: Floats, p: Floats) -> Floats:
        """What holds of all that a step may not pass unseen."""
        out = np.empty(self.code.conditions)
        evaluate(self.code.watched, t, y, p, out)
        return out

    def happen(self, t: float, y: Floats, p: Floats) -> bool:
        """Let everything that is due at t happen to y, in place; whether anything did."""
        anything = False
        if not self.events:
            return False
        for _ in range(TOO_MANY):
            self._look(t, y, p)
            due = [what for what in self.pending if what.time <= t]
            if not due:
                return anything
            values = self.values(t, y, p)
            urgent = [values[self.events[what.event].priority] for what in due]
            equal = [what for what, u in zip(due, urgent, strict=True) if u == max(urgent)]
            first = equal[0] if len(equal) == 1 else equal[self.chance.integers(len(equal))]
            self.pending.remove(first)
            self._change(self.events[first.event], first, t, y, p)
            anything = True
        raise FloatingPointError(f"more than {TOO_MANY} events at one instant, t = {t:g}")

    def _look(self, t: float, y: Floats, p: Floats) -> None:
        values = self.values(t, y, p)
        for k, event in enumerate(self.events):
            holds = bool(values[event.trigger])
            if holds and not self.held[k]:
                stored = values if event.early else None
                self.pending.append(Pending(t + values[event.delay], k, stored))
            if not holds and not event.persistent:
                self.pending = [what for what in self.pending if what.event != k]
            self.held[k] = holds

    def _change(self, event: Occasion, what: Pending, t: float, y: Floats, p: Floats) -> None:
        now = self.values(t, y, p)
        values = now if what.values is None else what.values
        for species, value, factor in event.changes:
            y[species] = values[value] * now[factor]

    def look_ahead(self, t: float, y: Floats, p: Floats) -> tuple[Floats, float]:
        """What holds of all that a step may not pass unseen, and the next time at which something
        pending is due or a condition on time may change."""
        held = np.empty(self.code.conditions)
        return held, min(foresee(self.code, t, y, p, held), self.due)

    @property
    def due(self) -> float:
        """When the next of what is pending happens."""
        return min((what.time for what in self.pending), default=np.inf)
