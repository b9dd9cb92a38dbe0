"""Simulated people as a laboratory would see them: each level through an assay, on plates."""

import numpy as np
import pandas as pd

from polycrine.catalogue.library import catalogue
from polycrine.laboratory.assay import Assay, measure
from polycrine.model.observations import Panel
from polycrine.network.network import Floats
from polycrine.runs.layout import Analyte, Layout
from polycrine.units import express, quantity

NOT_MEASURED = ("bacterial product", "antigen", "drug")
COLUMNS = ("subject", "group", "time_h", "analyte", "value", "unit", "flag", "origin")


def cohort_table(layout: Layout, levels: Floats, members: pd.DataFrame) -> pd.DataFrame:
    """subject, group, time_h, analyte, value, unit, flag, origin (`simulated`) of all who are done.

    All samples of a subject lie on neighbouring places of plates.

    levels: member x analyte x time, in the units of the layout.
    """
    plan = layout.plan.cohort
    assert plan is not None
    names = {arm: group for group, arm in plan.groups.items()}
    done = members[members.status == "done"]
    hours = layout.times / 60
    place = np.arange(len(done) * len(hours)).reshape(len(done), len(hours))
    who = {
        "subject": np.repeat([f"person {patient + 1}" for patient in done.patient], len(hours)),
        "group": np.repeat(done.arm.map(names).to_numpy(), len(hours)),
        "time_h": np.tile(hours, len(done)),
    }
    parts = []
    for k, analyte in enumerate(layout.analytes):
        if not _is_measured(analyte, plan.panel):
            continue
        true = levels[done.index, k].astype(float)
        value, flag = measure(true, assay_of(analyte), place // plan.plate, (layout.plan.seed, k))
        told = {"value": value.ravel(), "unit": analyte.unit, "flag": flag.ravel()}
        parts.append(pd.DataFrame({**who, "analyte": analyte.molecule, **told}))
    return pd.concat(parts, ignore_index=True).assign(origin="simulated")[[*COLUMNS]]


def _is_measured(analyte: Analyte, panel: str) -> bool:
    wish = analyte.wish
    known = catalogue().molecules
    return (
        isinstance(wish, Panel)
        and (wish.panel, wish.assay) == (panel, "total")
        and known[analyte.molecule].kind not in NOT_MEASURED
    )


def assay_of(analyte: Analyte) -> Assay:
    """An assay whose standards begin at the catalogue's detection limit, or, where it has none, at
    a thirtieth of the level in health."""
    molecule, form = (
        catalogue().molecules[analyte.molecule],
        catalogue().active_form(analyte.molecule),
    )
    if molecule.detection is not None:
        least = molecule.detection.read("concentration", form)
    else:
        least = molecule.healthy_plasma.read("concentration", form) / 30
    usual = Assay(analyte.molecule)
    lowest = express(least, analyte.unit, form) or quantity("1", "number")
    scale = lowest / min(usual.standards)
    return Assay(
        analyte.molecule,
        analyte.unit,
        midpoint=usual.midpoint * scale,
        standards=tuple(level * scale for level in usual.standards),
    )
