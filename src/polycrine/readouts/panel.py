"""What a laboratory would measure in a fluid: each analyte free and bound to soluble partners."""

import numpy as np
import pandas as pd
import xarray as xr

from polycrine.catalogue.library import catalogue
from polycrine.network.network import identifier
from polycrine.units import express


def panel(
    states: xr.Dataset, place: str, analytes: tuple[str, ...], assay: str = "total"
) -> pd.DataFrame:
    """Levels in the analyte's panel unit: sample, time_h, place, analyte, value, unit, flag, assay.

    A level counts molecules that are free (assay `free`), bound to soluble partners (`complexed`)
    or both (`total`), not those on cells; flag is `below` under the detection limit of the
    catalogue, else empty. A drug has no level of its own where it shares the plasma's.
    """
    rows = []
    for analyte in analytes:
        if f"{identifier(place)}.{identifier(analyte)}" not in states.species.values:
            continue
        unit = catalogue().molecules[analyte].panel_unit
        factor = express(1.0, unit, catalogue().active_form(analyte))
        levels = factor * concentration(states, place, analyte, assay)
        least = detection_limit(analyte)
        for sample, level in zip(states.sample.values, levels, strict=True):
            columns = {"sample": sample, "time_h": states.time.values / 60, "place": place}
            columns |= {"analyte": analyte, "value": level, "unit": unit}
            flag = np.where(level < least, "below", "")
            rows.append(pd.DataFrame({**columns, "flag": flag, "assay": assay}))
    return pd.concat(rows, ignore_index=True)


def detection_limit(analyte: str) -> float:
    """The lower limit of detection in the analyte's panel unit; a trifle where none is known."""
    molecule, form = catalogue().molecules[analyte], catalogue().active_form(analyte)
    if molecule.detection is None:
        return 1e-12
    limit = molecule.detection.read("concentration", form)
    return express(limit, molecule.panel_unit, form)


def concentration(
    states: xr.Dataset, place: str, molecule: str, assay: str = "total"
) -> np.ndarray:
    """pM of a molecule in a fluid, as an assay sees it: array of sample x time."""
    total = np.zeros((states.sizes["sample"], states.sizes["time"]))
    value, here = states.value.values, f"{identifier(place)}."
    columns = (states.species.values, states.unit.values, states.contents.values)
    for k, (name, unit, contents) in enumerate(zip(*columns, strict=True)):
        if unit == "pM" and str(name).startswith(here):
            held = contents_of(str(contents))
            if is_seen(held, assay):
                total += held.get(molecule, 0) * value[:, :, k]
    return total


def is_seen(contents: dict[str, int], assay: str) -> bool:
    """Whether an assay sees molecules in what has these contents."""
    free = sum(contents.values()) == 1
    return assay == "total" or free == (assay == "free")


def contents_of(text: str) -> dict[str, int]:
    """Molecules held by one unit of a species, as stored: `IL6=1;sIL6R=1`."""
    pairs = (part.rpartition("=") for part in text.split(";") if part)
    return {name: int(count) for name, _, count in pairs}
