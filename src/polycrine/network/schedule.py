"""Events and observations of a declaration as stops."""

import math
from collections.abc import Mapping

from polycrine.catalogue.library import catalogue
from polycrine.model.events import Block, Give, Infect, Injure, KnockOut, Without
from polycrine.model.model import Model, Stirred
from polycrine.model.observations import Observation
from polycrine.network.builder import LEDGER, NOTHING
from polycrine.network.drugs import depot_name
from polycrine.network.network import Network, Value, identifier
from polycrine.network.populations import ALIVE
from polycrine.network.stops import Action, Stop
from polycrine.units import quantity


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


def make_schedule(
    model: Model,
    network: Network,
    after: float | None,
    end: float,
    varied: Mapping[str, Value] = NOTHING,
) -> list[Stop]:
    """The stops of a run from its begin at 0, or of the rest of one that has come to `after`.

    varied: factors of the members of a batch on `body.weight` and on `MOLECULE.dose`.
    """
    first = [0.0] if after is None else []
    start = after or 0.0
    observed = {*first, *observation_times(model, start, end)}
    local = {quantity(e.at, "duration") for e in model.events if isinstance(e, Infect | Injure)}
    actions = _actions(model, network, varied)
    actions = [a for a in actions if start < a.time <= end or a.time in first]
    return [
        Stop(time, time in observed, tuple(a for a in actions if a.time == time))
        for time in sorted(observed | {action.time for action in actions} | local)
        if start < time <= end or time in first
    ]


def knocked_out(model: Model) -> list[str]:
    """Molecules whose gene is missing from the beginning."""
    return [event.knock_out for event in model.events if isinstance(event, KnockOut)]


def _actions(model: Model, network: Network, varied: Mapping[str, Value]) -> list[Action]:
    actions: list[Action] = []
    infusions: dict[int, list[tuple[float, float, Value]]] = {}
    for event in model.events:
        if isinstance(event, Give):
            actions += _doses(event, model, network, varied, infusions)
        elif isinstance(event, Block):
            at = quantity(event.at, "duration")
            gates = {f"{identifier(event.block)}.{gate}" for gate in ("open", "unblocked")}
            shut = [k for k, p in enumerate(network.parameters) if p.name in gates]
            actions += [Action(at, False, k, 0.0) for k in shut]
        elif isinstance(event, Injure | Infect | Without):
            actions += _of_populations(event, model, network)
    if ALIVE in network.parameter_names:
        actions.append(Action(0.0, False, network.parameter_index(ALIVE), 1.0))
    for rate, parts in infusions.items():
        for time in sorted({edge for start, end, _ in parts for edge in (start, end)}):
            total = sum(flow for start, end, flow in parts if start <= time < end)
            actions.append(Action(time, False, rate, total))
    return actions


def _of_populations(
    event: Injure | Infect | Without, model: Model, network: Network
) -> list[Action]:
    """What befalls the cells and bacteria of a stirred place; those of a tissue, space knows."""
    if isinstance(event, Without):
        gates = {f"{identifier(f'{event.cells} in {place}')}.admitted" for place in model.places}
        shut = [k for k, p in enumerate(network.parameters) if p.name in gates]
        return [Action(0.0, False, k, 0.0) for k in shut if event.without == "entry"]
    at = quantity(event.at, "duration")
    if isinstance(event, Injure):
        torn = f"{identifier(event.injure)}.torn"
        if event.share is None or does_not_happen(model, "injury"):
            return []
        over, k = quantity(event.over, "duration"), network.parameter_index(torn)
        rate = -math.log1p(-quantity(event.share, "number")) / over
        return [Action(at, False, k, rate), Action(at + over, False, k, 0.0)]
    bacteria = f"{identifier(event.infect)}.{identifier(event.bacteria)}"
    place = model.places[event.infect]
    if not isinstance(place, Stirred) or does_not_happen(model, "infection"):
        return []
    count = quantity(event.count, "number")
    return [Action(at, True, network.index(bacteria), count)]


def does_not_happen(model: Model, what: str) -> bool:
    """Whether the infection or injury of a model is left out."""
    return any(isinstance(e, Without) and e.without == what for e in model.events)


def _doses(
    event: Give,
    model: Model,
    network: Network,
    varied: Mapping[str, Value],
    infusions: dict[int, list[tuple[float, float, Value]]],
) -> list[Action]:
    """The boluses of an event as actions; its infusions are added to `infusions` by parameter."""
    molecule = catalogue().find(event.give)
    form = catalogue().active_form(molecule)
    stirred = (key for key, place in model.places.items() if isinstance(place, Stirred))
    place = identifier(event.into or model.plasma or next(stirred))
    name = f"{place}.{identifier(molecule)}"
    if event.route is not None:
        name = depot_name(molecule, event.route)
    held = network.species[network.index(name)].pmol
    volume = network.parameters[network.parameter_index(held)].value
    weight = quantity(model.body.weight, "body mass") if model.body else None
    if weight is not None:
        weight = weight * varied.get("body.weight", 1.0)
    if event.dose is not None:
        pmol = quantity(event.dose, "amount", form, weight)
    else:
        pmol = quantity(str(event.concentration), "concentration", form) * volume
    factor = varied.get(f"{event.give}.dose", 1.0)
    amounts = [pmol * factor] * event.times
    if event.loading is not None:
        amounts[0] = quantity(event.loading, "amount", form, weight) * factor
    at = quantity(event.at, "duration")
    every = quantity(event.every, "duration") if event.every else 0.0
    starts = [at + k * every for k in range(event.times)]
    if event.over is not None:
        over = quantity(event.over, "duration")
        parts = infusions.setdefault(network.parameter_index(f"{name}.infused"), [])
        given = zip(starts, amounts, strict=True)
        parts += [(start, start + over, pmol / over) for start, pmol in given]
        return []
    account, species = network.index(f"{LEDGER}.{identifier(molecule)}.given"), network.index(name)
    return [
        Action(start, True, k, value)
        for start, pmol in zip(starts, amounts, strict=True)
        for k, value in ((species, pmol / volume), (account, pmol))
    ]
