"""Signals between cells that touch: how a ligand on one cell is heard by receptors on another.

Within the confinement length h between two membranes, L / (4 pi r^2) ligands per area act as a
concentration L / (4 pi r^2 h), on the receptors that lie in the contact: a share A / (4 pi r'^2)
of them for each touching cell. As both move freely on their cells, all receptors together hear

    T = f (L - C),    f = A / (4 pi r'^2 4 pi r^2 h),

with L the ligands of touching cells that are in this cell's reach, C those that it has bound, r'
its radius and r theirs. A cell's ligands are shared among those that it touches. In a stirred place
N cells that touch k others at a time find k N M / (k N + M) partners among M.
"""

import math
from dataclasses import dataclass

from polycrine.model.model import Model
from polycrine.model.programs import Program
from polycrine.network.builder import Builder
from polycrine.network.network import Value, identifier
from polycrine.units import CUBIC_MICROMETRE, MOLECULES_PER_PMOL

SYNAPSE = "synapse"
PM = 1 / (CUBIC_MICROMETRE * MOLECULES_PER_PMOL)  # of one molecule per um^3


@dataclass(frozen=True)
class Touch:
    """What is heard of a ligand on touching cells: f L as a name, and the parameter that is f."""

    level: str
    each: str


def heard_by(build: Builder, program: Program, presented: set[str]) -> list[str]:
    """Those of the ligands on cells that receptors of a program bind."""
    binds = build.known.receptors
    heard = {ligand for name in program.receptors for ligand in binds[name].binds}
    return sorted(heard & presented)


def presented_amount(build: Builder, group: str, program: Program, ligand: str) -> str:
    """How many ligands a cell presents, as an expression."""
    path = f"{program.program.replace(' ', '_')}.presents.{ligand}"
    most = build.number(path, program.presents[ligand], "molecules")
    made = f"*{identifier(group)}.{identifier(ligand)}" if ligand in program.products else ""
    return f"{identifier(ligand)}.gene*{most}{made}"


def strength(build: Builder, hearing: Program, showing: Program) -> Value:
    """f (pM) of one ligand on a touching cell."""
    synapse = build.known.synapses[SYNAPSE]
    area = build.value(build.number(f"{SYNAPSE}.area", synapse.area, "area"))
    gap = build.value(build.number(f"{SYNAPSE}.confinement", synapse.confinement, "length"))
    return PM * area / (_surface(build, hearing) * _surface(build, showing) * gap)


def _surface(build: Builder, program: Program) -> Value:
    assert program.radius is not None
    path = f"{program.program.replace(' ', '_')}.radius"
    return 4 * math.pi * build.value(build.number(path, program.radius, "length")) ** 2


def stirred_touch(
    build: Builder, model: Model, programs: dict[str, Program], group: str
) -> dict[str, Touch]:
    """What cells of a group hear by touch in a stirred place, by ligand."""
    own, terms, first = identifier(group), dict[str, list[str]](), dict[str, Value]()
    for showing, touching in _neighbours(model, group):
        for ligand in heard_by(build, programs[group], {*programs[showing].presents}):
            one = strength(build, programs[group], programs[showing])
            first.setdefault(ligand, one)
            each = f"{own}.hears_{identifier(showing)}"
            build.constant(each, one)
            shown = presented_amount(build, showing, programs[showing], ligand)
            terms.setdefault(ligand, []).append(f"{each}*({touching})*{shown}")
    found = {}
    for ligand, parts in terms.items():
        level = touch_name(own, ligand)
        build.assignments[level] = " + ".join(parts)
        found[ligand] = Touch(level, build.constant(f"{level}_each", first[ligand]))
    return found


def tissue_touch(
    build: Builder, programs: dict[str, Program], beside: list[str], group: str
) -> dict[str, Touch]:
    """What cells of a group hear by touch in a tissue: ports, at nothing until space sets them."""
    own, found = identifier(group), {}
    for ligand in heard_by(build, programs[group], presented_in(programs, beside)):
        shows = next(other for other in beside if ligand in programs[other].presents)
        level = build.constant(touch_name(own, ligand), 0.0)
        each = strength(build, programs[group], programs[shows])
        found[ligand] = Touch(level, build.constant(f"{level}_each", each))
    return found


def presented_in(programs: dict[str, Program], groups: list[str]) -> set[str]:
    """Every ligand that cells of these groups show on their surface."""
    return {ligand for group in groups for ligand in programs[group].presents}


def touch_name(own: str, ligand: str) -> str:
    """What cells hear of a ligand on those that touch them."""
    return f"{own}.touch_{identifier(ligand)}"


def _neighbours(model: Model, group: str) -> list[tuple[str, str]]:
    """Of which other groups how many cells give all their ligands to one cell of this group."""
    found = []
    for contact in model.contacts:
        others = " + ".join(f"{identifier(other)}.count" for other in contact.touch)
        reaching = f"{contact.at_a_time!r}*{identifier(contact.cells)}.count"
        crowd = f"({reaching} + {others} + 1)"  # one more, where there is none of either
        if group in contact.touch:
            found.append((contact.cells, f"{identifier(contact.cells)}.count/{crowd}"))
        if group == contact.cells:
            share = f"{contact.at_a_time!r}/{crowd}"
            found += [(other, f"{identifier(other)}.count*{share}") for other in contact.touch]
    return found
