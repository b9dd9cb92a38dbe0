"""States of a run -> dataset and tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from polycrine.model.model import Count, Model, Panel, Read
from polycrine.network.builder import LEDGER
from polycrine.network.network import Floats, Network, evaluate_assignment, identifier
from polycrine.network.schedule import observation_times
from polycrine.readouts.ledger import ledger
from polycrine.readouts.panel import panel


def dataset(
    networks: Sequence[Network],
    samples: Sequence[str],
    times: Sequence[float],
    states: Sequence[Sequence[Floats]],
) -> xr.Dataset:
    """Every variable at every observed time, with what is needed to read it without a model."""
    network = networks[0]
    contents = [";".join(f"{name}={count}" for name, count in s.contents) for s in network.species]
    pmol = [[_value(net, s.pmol) for s in net.species] for net in networks]
    owners = _ledger_owners(network)
    return xr.Dataset(
        {
            "value": (("sample", "time", "species"), np.array(states)),
            "pmol": (("sample", "species"), np.array(pmol)),
        },
        coords={
            "sample": np.array(samples, dtype=object),
            "time": ("time", np.array(times), {"unit": "min"}),
            "species": np.array([s.name for s in network.species], dtype=object),
            "unit": ("species", np.array([s.unit for s in network.species], dtype=object)),
            "contents": ("species", np.array(contents, dtype=object)),
            "molecule": ("species", np.array(owners, dtype=object)),
        },
        attrs={"format": 1},
    )


def tables(model: Model, network: Network, states: xr.Dataset) -> dict[str, pd.DataFrame]:
    """The tables that are stored beside the states."""
    return {
        "panel": _panels(model, states),
        "reads": _reads(model, network, states),
        "ledger": ledger(states),
        "numbers": numbers(network),
    }


def numbers(network: Network) -> pd.DataFrame:
    """Every number that the equations use, as it is written in its file."""
    rows = []
    for parameter in network.parameters:
        number = parameter.number
        if number is not None:
            rows.append(
                {
                    "path": parameter.name,
                    "value": number.value,
                    "unit": number.unit,
                    "low": number.low,
                    "high": number.high,
                    "origin": number.origin,
                    "source": number.source or "",
                    "context": number.context,
                    "why": number.why,
                    "fitted_to": number.fitted_to,
                    "residual": number.residual,
                }
            )
    return pd.DataFrame(rows)


def _value(network: Network, parameter: str) -> float:
    return float(network.values[network.parameter_index(parameter)]) if parameter else 0.0


def _ledger_owners(network: Network) -> list[str]:
    molecules = {identifier(name): name for s in network.species for name, _ in s.contents}
    parts = [s.name.split(".") for s in network.species]
    return [molecules[part[1]] if part[0] == LEDGER else "" for part in parts]


def _panels(model: Model, states: xr.Dataset) -> pd.DataFrame:
    end = float(states.time.values[-1])
    tables = [
        panel(states, wish.panel, model.molecules, {0.0, *observation_times(model, 0.0, end, wish)})
        for wish in model.observe
        if isinstance(wish, Panel)
    ]
    empty = pd.DataFrame(columns=["sample", "time_h", "place", "analyte", "value", "unit", "flag"])
    return pd.concat(tables, ignore_index=True) if tables else empty


def _reads(model: Model, network: Network, states: xr.Dataset) -> pd.DataFrame:
    end = float(states.time.values[-1])
    rows = []
    for wish in model.observe:
        if isinstance(wish, Panel):
            continue
        times = {0.0, *observation_times(model, 0.0, end, wish)}
        kept = states.sel(time=[time for time in states.time.values if time in times])
        for s, sample in enumerate(kept.sample.values):
            values, unit, cell, name = _observed(wish, network, kept, s)
            rows.append(
                pd.DataFrame(
                    {
                        "sample": sample,
                        "time_h": kept.time.values / 60,
                        "cell": cell,
                        "species": name,
                        "value": values,
                        "unit": unit,
                    }
                )
            )
    empty = pd.DataFrame(columns=["sample", "time_h", "cell", "species", "value", "unit"])
    return pd.concat(rows, ignore_index=True) if rows else empty


def _observed(
    wish: Read | Count, network: Network, states: xr.Dataset, sample: int
) -> tuple[Floats, str, str, str]:
    if isinstance(wish, Count):
        count = network.values[network.parameter_index(f"{identifier(wish.count)}.count")]
        return np.full(states.sizes["time"], count), "cells", wish.count, "count"
    name = f"{identifier(wish.place)}.{identifier(wish.read)}"
    if network.has(name):
        k = network.index(name)
        unit = str(states.unit.values[k])
        return states.value.values[sample, :, k], unit, wish.place, wish.read
    values = evaluate_assignment(network, name, states.value.values[sample])
    if wish.read.endswith(" secretion"):
        return values / 60, "molecules/s", wish.place, wish.read
    unit = "molecules/cell" if wish.read.endswith(" bound") else "fraction"
    return values, unit, wish.place, wish.read
