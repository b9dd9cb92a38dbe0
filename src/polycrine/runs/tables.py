"""States of a run -> dataset and tables."""

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from polycrine.engine.attribution import BLOOD, receivers_of, senders_of
from polycrine.engine.stirred import Member
from polycrine.model.model import Model
from polycrine.model.observations import Count, Panel, Picture, Read
from polycrine.model.programs import load_cascade, load_program
from polycrine.network.builder import LEDGER
from polycrine.network.equations import FILE_UNIT, HELD
from polycrine.network.network import Floats, Network, evaluate_assignment, identifier
from polycrine.network.schedule import observation_times
from polycrine.network.tissue import parameters_of
from polycrine.readouts.ledger import ledger
from polycrine.readouts.panel import panel
from polycrine.runs.course import CELL_COLUMNS, Course
from polycrine.units import MOLECULES_PER_PMOL

PANEL = ("sample", "time_h", "place", "analyte", "value", "unit", "flag", "assay")
ROUTES = ("sample", "time_h", "molecule", "sender", "receiver", "pmol", "route")
SENDERS = ("sample", "molecule", "sender", "same_cell", "error", "half_radius_um")
TRIFLE = 1e-9  # of all that was captured of a molecule: not worth a row
READS = ("sample", "time_h", "cell", "species", "value", "unit")


def dataset(
    network: Network, members: Mapping[str, Member], courses: Mapping[str, Course]
) -> xr.Dataset:
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
    states = np.array([member.states for member in members.values()])
    times = next(iter(members.values())).times
    values: dict[str, Any] = {"value": (("sample", "time", "species"), states)}
    values["pmol"] = _contents(network, states)
    if courses:
        values["pmol"] = (values["value"][0], np.array([c.pmol for c in courses.values()]))
        values["count"] = (("sample", "time", "cell"), [c.counts for c in courses.values()])
        kinds = next(iter(courses.values())).tissue.space.kinds
        coords["cell"] = ("cell", np.array([kind.key for kind in kinds], dtype=object))
    return xr.Dataset(
        values,
        coords={"sample": np.array(list(members), dtype=object), "time": times, **coords},
        attrs={"format": 1, "time": "min", "pmol": "pmol of contents in one unit of a species"},
    )


def pictures(courses: Mapping[str, Course]) -> xr.Dataset | None:
    """Fields and cells of every arm at each picture; None without a tissue or without pictures."""
    if not courses or not any(course.frames for course in courses.values()):
        return None
    space = next(iter(courses.values())).tissue.space
    bacteria = [space.microbes.key] if space.microbes else ["bacteria"]
    rows = [(s, f, r) for s, c in enumerate(courses.values()) for f, r in enumerate(c.cells)]
    cells = np.concatenate([r for _, _, r in rows])
    owner = {
        "cell_sample": np.concatenate([np.full(len(r), s) for s, _, r in rows]),
        "cell_frame": np.concatenate([np.full(len(r), f) for _, f, r in rows]),
    }
    owner |= {f"cell_{name}": cells[:, k] for k, name in enumerate(CELL_COLUMNS)}
    for name in ("cell_id", "cell_kind"):
        owner[name] = owner[name].astype(np.int64)
    fields = np.array([course.pictures for course in courses.values()])
    return xr.Dataset(
        {
            "field": (("sample", "frame", "fluid", "z", "y", "x"), fields),
            **{name: ("row", column) for name, column in owner.items()},
            "radius": ("kind", [kind.radius for kind in space.kinds]),
        },
        coords={
            "sample": np.array(list(courses), dtype=object),
            "frame": next(iter(courses.values())).frames,
            "fluid": np.array([*space.fluid, *bacteria], dtype=object),
            "kind": np.array([kind.key for kind in space.kinds], dtype=object),
        },
        attrs={
            "format": 1,
            "place": space.key,
            "voxel": space.voxel,
            "frame": "min",
            "field": "pM; bacteria: in a voxel",
            "cells": "um; NFkB: uM in the nucleus; held: bacteria inside",
        },
    )


def tissue_tables(courses: Mapping[str, Course]) -> dict[str, pd.DataFrame]:
    """Who captured what of whom by which route until each picture, and how far senders reach at the
    end. What is paracrine holds the same cell's share, which `senders` tells apart (autocrine).

    Amounts are those of all that the piece represents.
    """
    routes, senders = [], []
    for sample, course in courses.items():
        space = course.tissue.space
        pmol = space.scale / MOLECULES_PER_PMOL
        givers, takers = senders_of(space), receivers_of(space)
        for f in np.unique(space.followed[space.followed >= 0]):
            held = np.array([table[space.followed == f].sum(axis=0) for table in course.captured])
            for time, table in zip(course.frames, held, strict=True):
                for k, r in np.argwhere(table > TRIFLE * table.sum()):
                    who = (sample, time / 60, space.fluid[f], givers[k], takers[r])
                    way = "endocrine" if BLOOD in (givers[k], takers[r]) else "paracrine"
                    routes.append((*who, table[k, r] * pmol, way))
        for row, ligand in enumerate(space.ligands):
            for time, tables in zip(course.frames, course.touched, strict=True):
                for k, r in np.argwhere(tables[row] > 0):
                    who = (sample, time / 60, ligand, givers[k], takers[r])
                    routes.append((*who, tables[row, k, r] * pmol, "juxtacrine"))
        senders += [(sample, *astuple(reach)) for reach in course.reaches]
    if not courses:
        return {}
    return {
        "routes": pd.DataFrame(routes, columns=ROUTES),
        "senders": pd.DataFrame(senders, columns=SENDERS),
    }


def tables(model: Model, network: Network, states: xr.Dataset) -> dict[str, pd.DataFrame]:
    """The tables that are stored beside the states."""
    frames: dict[str, list[pd.DataFrame]] = {"panel": [], "reads": []}
    for wish in model.observe:
        times = {0.0, *observation_times(model, 0.0, float(states.time[-1]), wish)}
        kept = states.sel(time=[time for time in states.time.values if time in times])
        if isinstance(wish, Picture):
            continue
        if isinstance(wish, Panel):
            frames["panel"].append(panel(kept, wish.panel, model.molecules, wish.assay))
        else:
            samples = range(kept.sizes["sample"])
            frames["reads"] += [_read(wish, network, kept, k, model) for k in samples]
    empty = {"panel": pd.DataFrame(columns=PANEL), "reads": pd.DataFrame(columns=READS)}
    joined = {
        key: pd.concat(parts, ignore_index=True) if parts else empty[key]
        for key, parts in frames.items()
    }
    return {**joined, "ledger": ledger(states), "numbers": numbers(model, network)}


def numbers(model: Model, network: Network) -> pd.DataFrame:
    """Every number that the equations use, as it is written in its file."""
    known = parameters_of(model, network)
    given = [(p.path or p.name, p.number) for p in known if p.number is not None]
    rows = [{"path": path, **number.model_dump()} for path, number in given]
    return pd.DataFrame(rows).fillna({"source": ""})


def _bacteria(network: Network, name: str) -> int:
    """The species that counts bacteria in the tissue."""
    names = [species.name for species in network.species]
    return next(k for k, own in enumerate(names) if own.endswith(f".{identifier(name)}"))


def _contents(network: Network, states: Floats) -> tuple[Any, Floats]:
    """pmol in one unit of each species; by sample and time where the number of cells changes."""
    held = {s.pmol: s.pmol in network.parameter_names for s in network.species if s.pmol}
    known: dict[str, Any] = {
        name: _value(network, name) for name, constant in held.items() if constant
    }
    if all(held.values()):
        return "species", np.array([known.get(s.pmol, 0.0) for s in network.species])
    changing = [name for name, constant in held.items() if not constant]
    known |= {name: evaluate_assignment(network, name, states) for name in changing}
    parts = [np.broadcast_to(known.get(s.pmol, 0.0), states.shape[:-1]) for s in network.species]
    return ("sample", "time", "species"), np.stack(parts, axis=-1)


def _value(network: Network, parameter: str) -> float:
    return float(network.values[network.parameter_index(parameter)])


def _read(
    wish: Read | Count, network: Network, states: xr.Dataset, k: int, model: Model
) -> pd.DataFrame:
    """What one observation saw in sample k."""
    values = states.value.values[k]
    if isinstance(wish, Count):
        cell, species, unit = wish.count, "count", "cells"
        if "count" in states and cell in states.cell.values:
            seen = states["count"].sel(cell=cell).values[k]
        elif f"{identifier(cell)}.count" in {p.name for p in network.parameters}:
            seen = np.full(len(values), _value(network, f"{identifier(cell)}.count"))
        elif network.has(f"{identifier(cell)}.count"):
            seen = values[:, network.index(f"{identifier(cell)}.count")]
        else:
            seen, unit = values[:, _bacteria(network, cell)], "bacteria"
    else:
        cell, species = wish.place, wish.read
        seen, unit = see_inside(wish, network, values), unit_inside(wish, network, model)
    columns = (states.sample.values[k], states.time.values / 60, cell, species, seen, unit)
    return pd.DataFrame(dict(zip(READS, columns, strict=True)))


def see_inside(wish: Read, network: Network, values: Floats) -> Floats:
    """What a read-out of cells shows in states (..., time, species)."""
    name = f"{identifier(wish.place)}.{identifier(wish.read)}"
    if network.has(name):
        return values[..., network.index(name)]
    seen = evaluate_assignment(network, name, values)
    return seen / 60 if wish.read.endswith(" secretion") else seen


def unit_inside(wish: Read, network: Network, model: Model) -> str:
    """The unit of a read-out of cells."""
    name = f"{identifier(wish.place)}.{identifier(wish.read)}"
    if wish.place in model.cells:
        for cascade in load_program(model.cells[wish.place].program).cascades:
            if wish.read in (shows := load_cascade(cascade).shows):
                return shows[wish.read].unit
    if network.has(name):
        return network.species[network.index(name)].unit
    if network.has(f"{name}{HELD}"):
        return FILE_UNIT
    if wish.read.endswith(" secretion"):
        return "molecules/s"
    return "molecules/cell" if wish.read.endswith(" bound") else "fraction"
