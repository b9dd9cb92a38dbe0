"""What a plan of a sweep means for its model: which members there are, and what is kept of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from polycrine.catalogue.library import catalogue
from polycrine.catalogue.yamltext import Document
from polycrine.errors import wrong
from polycrine.model.model import Model
from polycrine.model.observations import UNTREATED, Observation, Panel, Read
from polycrine.model.plan import Plan, check_plan, doses
from polycrine.network.network import Floats, Network, identifier
from polycrine.network.places import to_network, what_may_vary
from polycrine.readouts.panel import is_seen
from polycrine.runs.indices import sample_points
from polycrine.runs.tables import unit_inside
from polycrine.units import express, quantity

PIECE = 512  # members of one arm that a piece holds, about
MOST = 10_000_000  # members that a sweep may have


@dataclass(frozen=True)
class Analyte:
    """One thing that is kept of each member over time."""

    label: str
    unit: str
    wish: Panel | Read
    molecule: str = ""


@dataclass(frozen=True)
class Layout:
    """What a plan means for a model: its arms, grid points, analytes, times (min), and how many
    patients (or points of a sample) there may be; base: what each path has in the model."""

    plan: Plan
    model: Model
    network: Network
    base: Mapping[str, str]
    arms: tuple[str, ...]
    grid: tuple[tuple[str, ...], ...]
    analytes: tuple[Analyte, ...]
    times: Floats
    most: int
    points: Floats | None = None

    @property
    def wanted(self) -> int:
        """How many patients (or points) have to be plausible."""
        return self.plan.patients.count if self.plan.patients else self.most

    @property
    def piece(self) -> int:
        """How many patients (or points) one piece holds."""
        return max(1, min(PIECE // len(self.inner), self.wanted))

    @property
    def inner(self) -> tuple[tuple[str, ...], ...]:
        """The grid points that every patient goes through; a grid without patients is outer."""
        return self.grid if self.plan.patients else ((),)


def lay_out(plan: Plan, model: Model, document: Document) -> Layout:
    """A plan that fits its model, laid out; raises InputError with everything that does not."""
    arms = tuple(plan.cohort.groups.values()) if plan.cohort else plan.arms or (UNTREATED,)
    base = {**what_may_vary(model), **doses(model, arms)}
    check_plan(plan, model, base, document)
    asked = [plan.every] if plan.every else [w.every for w in model.observe if _is_kept(w)]
    step = min(quantity(every, "duration") for every in asked)
    end = quantity(model.run.duration, "duration")
    times = np.append(np.arange(0.0, end * (1 - 1e-12), step), end)
    grid, points = tuple(product(*plan.grid.values())), None
    most = len(grid)
    if plan.patients is not None:
        most = plan.patients.count * (plan.patients.tries if _selects(plan) else 1)
    if plan.indices is not None:
        points = sample_points(plan.indices, plan.seed)
        most = len(points)
    if most * len(arms) * (len(grid) if plan.patients else 1) > MOST:
        rule = f"this sweep would have more than {MOST:.0e} members."
        raise wrong(document.place(("grid",)), rule, "Ask for fewer.")
    network = to_network(model)
    seen = analytes_of(model, network)
    return Layout(plan, model, network, base, arms, grid, seen, times, most, points)


def _is_kept(wish: Observation) -> bool:
    return isinstance(wish, Panel | Read)


def _selects(plan: Plan) -> bool:
    """Whether some of the patients who are drawn may be refused."""
    return plan.patients is not None and bool(plan.patients.accept or plan.patients.numbers)


def analytes_of(model: Model, network: Network) -> tuple[Analyte, ...]:
    """What is kept of each member: the panels of a model, then its read-outs."""
    known, found = catalogue(), []
    for wish in model.observe:
        if isinstance(wish, Panel):
            label = "" if wish.assay == "total" else f"{wish.assay} "
            for molecule in model.molecules:
                if network.has(f"{identifier(wish.panel)}.{identifier(molecule)}"):
                    unit = known.molecules[molecule].panel_unit
                    name = f"{label}{molecule} in {wish.panel}"
                    found.append(Analyte(name, unit, wish, molecule))
        elif isinstance(wish, Read):
            unit = unit_inside(wish, network, model).replace("fraction", "")
            found.append(Analyte(f"{wish.read} in {wish.place}", unit, wish))
    return tuple(found)


def weights_of(layout: Layout, network: Network) -> tuple[Any, Floats]:
    """The species that have to be kept, and what each counts in each analyte's unit."""
    known, size = catalogue(), len(network.species)
    weights = np.zeros((len(layout.analytes), size))
    for k, analyte in enumerate(layout.analytes):
        if isinstance(analyte.wish, Panel):
            factor = express(1.0, analyte.unit, known.active_form(analyte.molecule))
            here = f"{identifier(analyte.wish.panel)}."
            for i, species in enumerate(network.species):
                if species.unit == "pM" and species.name.startswith(here):
                    held = dict(species.contents)
                    if is_seen(held, analyte.wish.assay):
                        weights[k, i] = factor * held.get(analyte.molecule, 0)
    if any(isinstance(analyte.wish, Read) for analyte in layout.analytes):
        return np.arange(size), weights
    kept = np.flatnonzero(weights.any(axis=0))
    return kept, weights[:, kept]
