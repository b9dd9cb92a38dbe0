"""Runs of a model that was read from SBML: its symbols over time, by their ids."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polycrine.engine.rest import come_to_rest
from polycrine.engine.status import DONE
from polycrine.engine.stirred import Member, Tolerances, sample
from polycrine.errors import InputError, NumericsError, Problem, wrong
from polycrine.network.code import compile_network
from polycrine.network.conserved import conserved_sums, written
from polycrine.network.expressions import names_in, read
from polycrine.network.network import Floats, Network
from polycrine.network.sbml import SbmlModel
from polycrine.network.sensitivity import split, with_sensitivities

if TYPE_CHECKING:
    import pandas as pd

SMALL_SHIFT = 1e-4  # of a number: by how much what is shown is moved to find its slope
SMALLEST = 1e-12  # of the largest variable: the least size that a variable's error refers to


@dataclass(frozen=True)
class Accuracy:
    """rtol per step; atol of each variable's size at the start (of the smallest other one's, where
    it starts from nothing)."""

    rtol: float = 1e-7
    atol: float = 1e-9


def refuse_senseless(end: float, points: int, accuracy: Accuracy, out: Path) -> None:
    """Raises InputError with everything that no run can be asked for."""
    asked = (
        (end > 0 and np.isfinite(end), "--end", f"{end:g} is not behind the start, 0."),
        (points >= 2, "--points", f"{points} rows cannot hold both ends."),
        (0 < accuracy.rtol < 1, "--rtol", f"{accuracy.rtol:g} is not between 0 and 1."),
        (0 < accuracy.atol < 1, "--atol", f"{accuracy.atol:g} is not between 0 and 1."),
        (not out.exists(), "--out", f"'{out}' is already there."),
        (out.parent.is_dir(), "--out", f"there is no folder '{out.parent}'."),
    )
    problems = [Problem(place, rule) for holds, place, rule in asked if not holds]
    if problems:
        raise InputError(problems)


def trajectory(
    model: SbmlModel,
    end: float,
    points: int,
    accuracy: Accuracy | None = None,
    amounts: bool = False,
    seed: int = 0,
) -> dict[str, Floats]:
    """Columns by name: time (from 0 to `end`, `points` rows), species by id (concentrations, or
    amounts), and then every other symbol that changes.

    Raises NumericsError with the last good time where the numbers fail. seed: of the chance by
    which events of equal priority take turns.
    """
    times, states = _states(scaled(model.network), end, points, accuracy or Accuracy(), seed)
    return columns(model, times, states, amounts)


def _states(
    network: Network, end: float, points: int, accuracy: Accuracy, seed: int = 0
) -> tuple[Floats, Floats]:
    """The times and the states of a network at them."""
    times, first = np.linspace(0.0, end, points), 2.0**-30
    member = Member(0.0, network.initial, network.values, first * end)
    tolerances = Tolerances(accuracy.rtol, accuracy.atol, first)
    states = sample(compile_network(network), network, member, times, tolerances, seed)
    if member.status != DONE:
        raise NumericsError(f"{member.message} (the last good time is {member.time:g})")
    return times, states


def simulate(
    model: SbmlModel,
    end: float,
    points: int,
    accuracy: Accuracy | None = None,
    amounts: bool = False,
    seed: int = 0,
) -> "pd.DataFrame":
    """The `trajectory` of a model as a table."""
    import pandas as pd

    return pd.DataFrame(trajectory(model, end, points, accuracy, amounts, seed))


def steady_state(model: SbmlModel, accuracy: Accuracy | None = None) -> "pd.DataFrame":
    """The state that a model comes to from its start: id, value; one row per symbol.

    In `attrs`: residual, stable, and the conserved sums as text with their totals. Raises
    InputError for a model that depends on time or has events, NumericsError where nothing rests.
    """
    tolerance, network = accuracy or Accuracy(), scaled(model.network)
    code = compile_network(network)
    if network.events or _depends_on_time(network):
        raise wrong(model.name, "what has events or depends on time has no steady state.")
    sums, names = conserved_sums(network), [species.name for species in network.species]
    matrix = np.zeros((len(sums), len(names)))
    for k, one in enumerate(sums):
        for name, value in one.items():
            matrix[k, names.index(name)] = float(value)
    start, values = network.initial, network.values
    tolerances = Tolerances(tolerance.rtol, tolerance.atol)
    rest = come_to_rest(code, start, values, matrix, network.scales, tolerances, 1.0)
    shown = table(model, np.zeros(1), rest.state[None], amounts=False).iloc[0, 1:]
    found = shown.rename_axis("id").rename("value").reset_index()
    found.attrs = {
        "residual": rest.residual,
        "stable": rest.growth <= 0,
        "conserved": {
            written(one): float(total) for one, total in zip(sums, matrix @ start, strict=True)
        },
    }
    return found


def sensitivities(
    model: SbmlModel,
    wanted: tuple[str, ...],
    end: float,
    points: int,
    accuracy: Accuracy | None = None,
) -> "pd.DataFrame":
    """How every symbol that changes depends on constants, or on the start of variables: time,
    symbol, of (what is wanted), value (its derivative); through events, doses and switches.

    Raises InputError for a name that the model does not have, or on which the start of another one
    depends (an initial assignment, the size of a place), NumericsError as `simulate`.
    """
    import pandas as pd

    problems = [
        Problem(name, f"the start of '{other}' depends on it, which is not followed.")
        for name in wanted
        for other, needed in model.starts.items()
        if name in needed and other not in dict(model.network.assignments)
    ]
    if problems:
        raise InputError(problems)
    network = with_sensitivities(scaled(model.network), wanted)
    times, states = _states(network, end, points, accuracy or Accuracy())
    values, slopes = split(network, states)
    base, rows = model.network, []
    for k, name in enumerate(wanted):
        own = base.parameter_index(name) if name in base.parameter_names else None
        size = abs(base.values[own]) if own is not None else abs(base.initial[base.index(name)])
        shift = SMALL_SHIFT * (size or 1.0)
        sides = []
        for sign in (1.0, -1.0):
            moved = base
            if own is not None:
                value = base.values[own] + sign * shift
                parameters = list(base.parameters)
                parameters[own] = replace(parameters[own], value=value)
                moved = replace(base, parameters=tuple(parameters))
            here = replace(model, network=moved)
            sides.append(table(here, times, values + sign * shift * slopes[:, k], amounts=False))
        found = (sides[0].iloc[:, 1:] - sides[1].iloc[:, 1:]) / (2 * shift)
        found.insert(0, "time", times)
        rows.append(found.melt("time", var_name="symbol").assign(of=name))
    return pd.concat(rows, ignore_index=True)[["time", "symbol", "of", "value"]]


def _depends_on_time(network: Network) -> bool:
    texts = [text for _, text in network.assignments]
    texts += [part for r in network.reactions for part in (r.rate, *(c for _, c in r.changes))]
    return any("t" in names_in(text) for text in texts)


def scaled(network: Network) -> Network:
    """A network whose variables have the size that their error refers to."""
    start = np.abs(network.initial)
    moving = {name for reaction in network.reactions for name, _ in reaction.changes}
    sizes = start[start > SMALLEST * start.max(initial=0.0)]
    least = sizes.min(initial=np.inf)
    least = least if np.isfinite(least) else 1.0
    species = tuple(
        replace(s, scale=float(size) if size > 0 else float(least))
        if s.name in moving
        else replace(s, scale=0.0)
        for s, size in zip(network.species, start, strict=True)
    )
    return replace(network, species=species)


def columns(model: SbmlModel, times: Floats, states: Floats, amounts: bool) -> dict[str, Floats]:
    """States as the symbols of the file."""
    network = model.network
    known: dict[str, Any] = {
        species.name: states[:, i] for i, species in enumerate(network.species)
    }
    known |= {parameter.name: parameter.value for parameter in network.parameters}
    known |= {"t": times}
    for name, text in network.assignments:
        known[name] = read(text, known)
    found = {"time": times}
    for quantity in sorted(model.quantities, key=lambda q: q.kind != "species"):
        text = quantity.value
        if quantity.kind == "species":
            text = quantity.amount if amounts else quantity.concentration
        elif not quantity.changes:
            continue
        name = f"{quantity.id}_" if quantity.id in found else quantity.id
        found[name] = np.broadcast_to(read(text, known), times.shape)
    return found


def table(model: SbmlModel, times: Floats, states: Floats, amounts: bool) -> "pd.DataFrame":
    """The `columns` as a table."""
    import pandas as pd

    return pd.DataFrame(columns(model, times, states, amounts))
