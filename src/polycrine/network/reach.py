"""How far a cytokine reaches by its numbers alone: to the neighbour, to the tissue, to the blood.

Among n cells per volume that each take it up through N receptors with the rate constant kon,

    k = n N kon,   lambda = (D / k)^(1/2),   occupancy in blood = c / (c + Kd).
"""

import statistics
from collections.abc import Iterator
from typing import Any

from polycrine.catalogue.entries import Molecule, Number
from polycrine.catalogue.library import Catalogue
from polycrine.catalogue.questions import signalling_receptors
from polycrine.errors import wrong
from polycrine.network.barriers import free_diffusion, molecular_radius
from polycrine.units import MOLECULES_PER_PMOL, quantity

SPARSE, DENSE = 1e9, 1e11  # cells/L: a few in a tissue, a lymph node
RECEPTORS, KON = 1000.0, 1e7  # per cell; /M/s: usual, where nothing was found
OPEN = 0.01  # occupied receptors from which we call a route open
Row = dict[str, str]


def reach(known: Catalogue, name: str) -> list[Row]:
    """Diffusion, length among few and many receiving cells, and the blood's level against Kd.

    Raises InputError for a molecule whose mass is unknown.
    """
    key = known.find(name)
    molecule = known.molecules[key]
    if molecule.mass.value == "unknown":
        raise wrong(name, "its mass is unknown, and so is how fast it diffuses.")
    hindrance = known.tissues["lung"].hindrance.read("number")
    kda = known.active_form(key).kda
    diffusion = hindrance * free_diffusion(molecular_radius(kda))
    found = sorted(_reported(molecule, "receptors per cell"))
    sites = statistics.median(found) if found else RECEPTORS
    rows = [_row("diffusion in tissue", diffusion / 60, "um2/s", f"{kda:.3g} kDa, hindered")]
    for who, density in (("few", SPARSE), ("many", DENSE)):
        uptake = density * sites * KON * 60 / (MOLECULES_PER_PMOL * 1e12)
        why = f"{density / 1000:.0e} cells/mL with {sites:.0f} receptors each"
        why += "" if found else " (assumed)"
        rows.append(_row(f"length among {who} receivers", (diffusion / uptake) ** 0.5, "um", why))
    return [*rows, *_blood(known, key)]


def _blood(known: Catalogue, key: str) -> Iterator[Row]:
    molecule, form = known.molecules[key], known.active_form(key)
    levels = sorted(_reported(molecule, "healthy level"))
    if (number := molecule.healthy_plasma).value != "unknown":
        level = number.read("concentration", form)
        why = f"{number.text}, {number.origin}: {number.context or number.why}"
    elif levels:
        level = quantity(f"{statistics.median(levels)} pg/mL", "concentration", form)
        why = f"median of {len(levels)} reported"
    else:
        yield {"what": "healthy blood", "value": "unknown", "from": "no level was found"}
        return
    yield _row("healthy blood", level, "pM", why)
    for name, receptor in signalling_receptors(known, key).items():
        kd, why = _kd(molecule, receptor.binds[key].kd)
        if not kd:
            yield {"what": f"{name} in blood", "value": "unknown", "from": "no Kd was found"}
            continue
        share = level / (level + kd)
        route = "the endocrine route is open in health"
        if share < OPEN:
            route = f"endocrine only from {OPEN / (1 - OPEN) * kd:.2g} pM"
        yield _row(f"{name} occupied in blood", 100 * share, "%", f"Kd {kd:.3g} pM{why}: {route}")


def _kd(molecule: Molecule, number: Number) -> tuple[float, str]:
    if number.value != "unknown":
        return number.read("concentration"), ""
    found = _reported(molecule, "Kd")
    return (statistics.median(found), ", median of what is reported") if found else (0.0, "")


def _reported(molecule: Molecule, kind: str) -> list[float]:
    return [report.value for report in molecule.reported if report.quantity == kind]


def _row(what: str, value: float, unit: str, why: str) -> dict[str, Any]:
    return {"what": what, "value": f"{value:.3g} {unit}", "from": why}
