"""Events and observations as stops: when the integrator must halt, and what it does there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polycrine.catalogue.library import catalogue
from polycrine.model.model import Block, Give, KnockOut, Model, Observation
from polycrine.network.builder import LEDGER
from polycrine.network.network import Floats, Network, identifier
from polycrine.units import quantity

ADD, SET = 0, 1


@dataclass(frozen=True)
class Schedule:
    """Stops in ascending time (min), from just after the start to the end.

    observed: whether the state is kept there; actions of stop k are the rows
    action_start[k]:action_start[k+1] of kind (ADD to a species, SET a parameter), index, value.
    """

    times: Floats
    observed: NDArray[np.bool_]
    action_start: NDArray[np.int64]
    kind: NDArray[np.int64]
    index: NDArray[np.int64]
    value: Floats


@dataclass
class _Action:
    time: float
    kind: int
    index: int
    value: float


def observation_times(
    model: Model, start: float, end: float, only: Observation | None = None
) -> list[float]:
    """Every time in (start, end] at which something, or `only` this wish, is observed."""
    times: set[float] = set()
    for wish in model.observe if only is None else (only,):
        every = quantity(wish.every, "duration")
        first, last = math.floor(start / every) + 1, math.floor(end / every)
        times |= {k * every for k in range(first, last + 1)}
    return sorted(time for time in times if start < time <= end)


def make_schedule(model: Model, network: Network, start: float, end: float) -> Schedule:
    """The stops of a run in (start, end]; what happens at `start` itself comes first (at -0).

    Doses at exactly `start` belong to this part of the run only when start is 0; otherwise the
    part that ended there has given them.
    """
    actions = [
        action
        for action in _actions(model, network)
        if start < action.time <= end or (action.time == start == 0.0)
    ]
    observed = set(observation_times(model, start, end))
    times = sorted(
        observed | {action.time for action in actions} | ({0.0} if start == 0.0 else set())
    )
    grouped = [[a for a in actions if a.time == time] for time in times]
    flat = [action for group in grouped for action in group]
    return Schedule(
        np.array(times),
        np.array([time in observed or time == 0.0 for time in times]),
        np.cumsum([0, *(len(group) for group in grouped)]).astype(np.int64),
        np.array([action.kind for action in flat], dtype=np.int64),
        np.array([action.index for action in flat], dtype=np.int64),
        np.array([action.value for action in flat]),
    )


def knocked_out(model: Model) -> list[str]:
    """Molecules whose gene is missing from the beginning."""
    return [event.knock_out for event in model.events if isinstance(event, KnockOut)]


def _actions(model: Model, network: Network) -> list[_Action]:
    actions: list[_Action] = []
    infusions: dict[int, list[tuple[float, float, float]]] = {}
    names = {parameter.name for parameter in network.parameters}
    for event in model.events:
        if isinstance(event, Give):
            actions += _doses(event, model, network, infusions)
        elif isinstance(event, Block):
            for gate in ("open", "unblocked"):
                name = f"{identifier(event.block)}.{gate}"
                if name in names:
                    at = quantity(event.at, "duration")
                    actions.append(_Action(at, SET, network.parameter_index(name), 0.0))
    for rate, parts in infusions.items():
        for time in sorted({edge for start, end, _ in parts for edge in (start, end)}):
            total = sum(flow for start, end, flow in parts if start <= time < end)
            actions.append(_Action(time, SET, rate, total))
    return sorted(actions, key=lambda action: action.time)


def _doses(
    event: Give,
    model: Model,
    network: Network,
    infusions: dict[int, list[tuple[float, float, float]]],
) -> list[_Action]:
    """The boluses of an event as actions; its infusions are added to `infusions` by parameter."""
    form = catalogue().active_form(event.give)
    place = event.into or model.plasma or next(iter(model.places))
    name = f"{identifier(place)}.{identifier(event.give)}"
    volume = network.values[network.parameter_index(f"{identifier(place)}.volume")]
    weight = quantity(model.body.weight, "body mass") if model.body else None
    if event.dose is not None:
        pmol = quantity(event.dose, "amount", form, weight)
    else:
        assert event.concentration is not None
        pmol = quantity(event.concentration, "concentration", form) * volume
    at = quantity(event.at, "duration")
    every = quantity(event.every, "duration") if event.every else 0.0
    starts = [at + k * every for k in range(event.times)]
    if event.over is not None:
        over = quantity(event.over, "duration")
        parts = infusions.setdefault(network.parameter_index(f"{name}.infused"), [])
        parts += [(start, start + over, pmol / over) for start in starts]
        return []
    account = network.index(f"{LEDGER}.{identifier(event.give)}.given")
    return [
        action
        for start in starts
        for action in (
            _Action(start, ADD, network.index(name), pmol / volume),
            _Action(start, ADD, account, pmol),
        )
    ]
