"""States of a run -> dataset and tables."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from polycrine.engine.stirred import Member
from polycrine.model.model import Count, Model, Panel, Read
from polycrine.network.builder import LEDGER
from polycrine.network.network import Network, evaluate_assignment, identifier
from polycrine.network.schedule import observation_times
from polycrine.readouts.ledger import ledger
from polycrine.readouts.panel import panel

PANEL = ("sample", "time_h", "place", "analyte", "value", "unit", "flag")
READS = ("sample", "time_h", "cell", "species", "value", "unit")


def dataset(network: Network, members: Mapping[str, Member]) -> xr.Dataset:
    """Every variable at every observed time, with what is needed to read it without a model."""
    names = {identifier(name): name for s in network.species for name, _ in s.contents}
    parts = [s.name.split(".") for s in network.species]
    texts = {
        "species": [s.name for s in network.species],
        "unit": [s.unit for s in network.species],
        "contents": [";".join(f"{key}={n}" for key, n in s.contents) for s in network.species],
        "molecule": [names[part[1]] if part[0] == LEDGER else "" for part in parts],
    }
    coords = {key: ("species", np.array(text, dtype=object)) for key, text in texts.items()}
    pmol = [_value(network, s.pmol) if s.pmol else 0.0 for s in network.species]
    states = np.array([member.states for member in members.values()])
    times = next(iter(members.values())).times
    return xr.Dataset(
        {"value": (("sample", "time", "species"), states), "pmol": ("species", pmol)},
        coords={"sample": np.array(list(members), dtype=object), "time": times, **coords},
        attrs={"format": 1, "time": "min", "pmol": "pmol of contents in one unit of a species"},
    )


def tables(model: Model, network: Network, states: xr.Dataset) -> dict[str, pd.DataFrame]:
    """The tables that are stored beside the states."""
    frames: dict[str, list[pd.DataFrame]] = {"panel": [], "reads": []}
    for wish in model.observe:
        times = {0.0, *observation_times(model, 0.0, float(states.time[-1]), wish)}
        kept = states.sel(time=[time for time in states.time.values if time in times])
        if isinstance(wish, Panel):
            frames["panel"].append(panel(kept, wish.panel, model.molecules))
        else:
            frames["reads"] += [_read(wish, network, kept, k) for k in range(kept.sizes["sample"])]
    empty = {"panel": pd.DataFrame(columns=PANEL), "reads": pd.DataFrame(columns=READS)}
    joined = {
        key: pd.concat(parts, ignore_index=True) if parts else empty[key]
        for key, parts in frames.items()
    }
    return {**joined, "ledger": ledger(states), "numbers": numbers(network)}


def numbers(network: Network) -> pd.DataFrame:
    """Every number that the equations use, as it is written in its file."""
    given = [(p.path or p.name, p.number) for p in network.parameters if p.number is not None]
    rows = [{"path": path, **number.model_dump()} for path, number in given]
    return pd.DataFrame(rows).fillna({"source": ""})


def _value(network: Network, parameter: str) -> float:
    return float(network.values[network.parameter_index(parameter)])


def _read(wish: Read | Count, network: Network, states: xr.Dataset, k: int) -> pd.DataFrame:
    """What one observation saw in sample k."""
    values = states.value.values[k]
    if isinstance(wish, Count):
        cell, species, unit = wish.count, "count", "cells"
        seen = np.full(len(values), _value(network, f"{identifier(cell)}.count"))
    else:
        cell, species = wish.place, wish.read
        name = f"{identifier(cell)}.{identifier(species)}"
        if network.has(name):
            unit, seen = str(states.unit.sel(species=name).item()), values[:, network.index(name)]
        else:
            seen, unit = evaluate_assignment(network, name, values), "fraction"
            if species.endswith(" secretion"):
                seen, unit = seen / 60, "molecules/s"
            elif species.endswith(" bound"):
                unit = "molecules/cell"
    columns = (states.sample.values[k], states.time.values / 60, cell, species, seen, unit)
    return pd.DataFrame(dict(zip(READS, columns, strict=True)))
