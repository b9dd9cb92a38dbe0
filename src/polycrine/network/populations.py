"""Cells whose number N changes in a stirred place: they divide, die, become others, come and go.

    N' = sum_k a_k - (d + l + sum_j b_j) N,    each rate ln 2 / half_time prod(by) prod(1 - unless)

with a: cells that come (daughters, those that become these, those that enter from the blood), and
rates of one cell d: to die, l: to leave with the lymph, b: to become another; where a share s of
daughters does, b = 2 s times the rate of division. One representative cell stands for all: those
who come bring nothing on their receptors and are otherwise as those who are there, so that what is
held is shared among more, C' = - sum_k a_k / (N + 1) C. Blood is not emptied of those who enter; no
number changes while health settles.

Bacteria B grow logistically and are engulfed, N e / (1 + held / holds) B / V, as in space.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from polycrine.catalogue.entries import Microbe, Number
from polycrine.model.events import Infect, Injure
from polycrine.model.model import Model, Stirred
from polycrine.model.programs import Fate, Program
from polycrine.network.builder import BROUGHT, DIED, LEFT, LN2, SHED, SPILLED, Builder
from polycrine.network.cells import CellWriter
from polycrine.network.network import Value, identifier
from polycrine.units import CUBIC_MICROMETRE, MOLECULES_PER_PMOL, quantity

ALIVE = "populations.alive"
E = TypeVar("E", Infect, Injure)
DIGESTION = 60.0  # min after which half of what was engulfed is digested


@dataclass
class Changes:
    """As expressions: cells that come (1/min), and rates (1/min) at which one dies or leaves."""

    coming: list[str] = field(default_factory=list)
    dying: list[str] = field(default_factory=list)
    leaving: list[str] = field(default_factory=list)


def changing(model: Model, programs: Mapping[str, Program]) -> set[str]:
    """The groups whose number changes: all that a stirred place holds of cells with fates, of those
    who enter it, and of those whom an injury may tear."""
    stirred = {key for key, place in model.places.items() if isinstance(place, Stirred)}
    torn = {event.injure for event in events_of(model, Injure)} & stirred
    found = set()
    for key, cells in model.cells.items():
        if cells.place in stirred and (programs[key].fates or cells.place in torn):
            found.add(key)
        if cells.enters in stirred:
            found.add(f"{key} in {cells.enters}")
        for other in programs[key].becomes:
            found |= {*groups_of(model, other, cells.place)}
    return found


def events_of(model: Model, kind: type[E]) -> list[E]:
    """The events of a kind in a model and its arms."""
    return [event for event in model.all_events if isinstance(event, kind)]


def groups_of(model: Model, program: str, place: str) -> list[str]:
    """The groups of a program in a place; where it has none, those of other places."""
    places = {key: own.place for key, own in model.cells.items() if own.program == program}
    here = [key for key, own in places.items() if own == place]
    return here or [*places]


class Populations:
    """Writes how the numbers of cells and bacteria change in the stirred places of a model."""

    def __init__(
        self,
        build: Builder,
        model: Model,
        cells: Mapping[str, CellWriter],
        places: Mapping[str, str],
        volumes: Mapping[str, Value],
    ) -> None:
        self.build, self.model, self.cells = build, model, cells
        self.places, self.volumes = places, volumes
        programs = {key: writer.program for key, writer in cells.items()}
        self.injured = {event.injure for event in events_of(model, Injure)}
        self.changes = {key: Changes() for key in cells if key in changing(model, programs)}

    def write(self) -> None:
        """Every change of a number, and what it does to what cells hold."""
        self.build.constant(ALIVE, 0.0)
        for key in self.changes:
            self._fates(key)
            self._going(key)
        for key in self.cells:
            self._admits(key)
        for key, change in self.changes.items():
            self._sum_up(key, change)
        for place in dict.fromkeys(e.infect for e in events_of(self.model, Infect)):
            if isinstance(self.model.places[place], Stirred):
                self._bacteria(place)

    def _fates(self, key: str) -> None:
        program, count = self.cells[key].program, f"{identifier(key)}.count"
        change = self.changes[key]
        divisions = "0"
        if program.divides is not None:
            divisions = self._rate(key, "divides", program.divides)
            change.coming.append(f"{divisions}*{count}")
        if program.dies is not None:
            change.dying.append(self._rate(key, "dies", program.dies))
        for other, fate in program.becomes.items():
            rate = self._rate(key, f"becomes.{other}", fate, divisions)
            for target in groups_of(self.model, other, self.places[key]):
                change.leaving.append(rate)
                self.changes[target].coming.append(f"{rate}*{count}")

    def _rate(self, key: str, name: str, fate: Fate, divisions: str = "0") -> str:
        """What happens to one cell in a minute, as an expression."""
        cell, build = self.cells[key], self.build
        path = f"{cell.path}.{name}"
        if fate.share is not None:
            share = build.number(f"{path}.share", fate.share, "number")
            rate = f"2*{share}*{divisions}"
        else:
            assert fate.half_time is not None
            half_time = build.number(f"{path}.half_time", fate.half_time, "duration")
            rate = f"{ALIVE}*{LN2}/{half_time}"
        parts = [f"({cell.heard[s]})" for s in fate.by if s in cell.heard]
        parts += [f"(1 - ({cell.heard[s]}))" for s in fate.unless if s in cell.heard]
        return "*".join([f"({rate})", *parts])

    def _going(self, key: str) -> None:
        """Cells that have entered from the blood die and leave at their half-times."""
        program, change = self.cells[key].program, self.changes[key]
        place, own = identifier(self.places[key]), identifier(key)
        if self.places[key] in self.injured:
            torn = self.build.constant(f"{place}.torn", 0.0)
            change.dying.append(torn)
            for molecule, content in program.spills.items():
                if molecule in self.model.molecules:
                    path = f"{self.cells[key].path}.spills.{molecule}"
                    each = self.build.number(path, content, "molecules")
                    raised = {f"{place}.{identifier(molecule)}": f"{own}.to_{place}"}
                    gene = f"{identifier(molecule)}.gene"
                    self.build.react(f"{gene}*{torn}*{each}", raised, SPILLED)
        if key in self.model.cells:
            return
        ends = (
            ("lifetime", program.lifetime, change.dying),
            ("egress", program.egress, change.leaving),
        )
        for part, number, rates in ends:
            if number is not None:
                path = f"{self.cells[key].path}.{part}"
                rates.append(f"{ALIVE}*{LN2}/{self.build.number(path, number, 'duration')}")

    def _admits(self, key: str) -> None:
        """Cells of the blood that vessel cells of a place let in."""
        build, cell, place = self.build, self.cells[key], self.places[key]
        for program, admission in cell.program.admits.items():
            for other, cells in self.model.cells.items():
                entered = f"{other} in {place}"
                if cells.program != program or entered not in self.changes:
                    continue
                path = f"{cell.path}.admits.{program}.clearance"
                each = build.number(path, admission.clearance, "cell clearance")
                blood = build.constant(f"{identifier(place)}.blood", self._blood())
                density = f"{identifier(other)}.count/{blood}*{identifier(key)}.count"
                gate = build.constant(f"{identifier(entered)}.admitted", 1.0)
                rate = f"{ALIVE}*{gate}*{each}*{cell.heard[admission.by]}*{density}"
                self.changes[entered].coming.append(rate)

    def _blood(self) -> Value:
        """The whole blood of the body in um^3."""
        assert self.model.body is not None
        litres = quantity(self.model.body.whole_blood, "volume")
        return litres * self.build.factor("body.whole_blood") / CUBIC_MICROMETRE

    def _sum_up(self, key: str, change: Changes) -> None:
        build, own = self.build, identifier(key)
        count, coming = f"{own}.count", f"{own}.coming"
        dying, leaving = f"{own}.dying", f"{own}.leaving"
        for name, terms in (
            (coming, change.coming),
            (dying, change.dying),
            (leaving, change.leaving),
        ):
            build.assignments[name] = " + ".join(terms) or "0"
        build.react(coming, {count: "1"})
        build.react(f"({dying} + {leaving})*{count}", {count: "-1"})
        held = [s for s in build.species.values() if s.name.startswith(f"{own}.") and s.contents]
        for species in held:
            shared = {species.name: "-1"}
            gone = {DIED: f"{dying}*{count}", LEFT: f"{leaving}*{count}"}
            for molecule, number in species.contents:
                pmol = f"{number}/{MOLECULES_PER_PMOL}"
                shared[build.account(molecule, BROUGHT)] = pmol  # the one more in N + 1
                for process, rate in gone.items():
                    account = build.account(molecule, process)
                    build.react(f"{rate}*{species.name}", {account: f"-{pmol}"})
            build.react(f"{coming}/({count} + 1)*{species.name}", shared)

    def _bacteria(self, place: str) -> None:
        build, key = self.build, next(e.bacteria for e in events_of(self.model, Infect))
        entry, own = build.known.microbes[key], identifier(place)
        alive = build.add(f"{own}.{identifier(key)}", "bacteria")
        volume = build.constant(f"{own}.cubic_um", self.volumes[place] / CUBIC_MICROMETRE)
        growth = build.number(f"{key}.growth", entry.growth, "rate")
        capacity = build.number(f"{key}.capacity", entry.capacity, "cell concentration")
        build.react(f"{growth}*{alive}*(1 - {alive}/({capacity}*{own}.volume))", {alive: "1"})
        for group, cell in self.cells.items():
            if self.places[group] == place and cell.program.engulfs is not None:
                self._engulf(group, cell, alive, volume, entry, key)
        for molecule, number in entry.sheds.items():
            if molecule in self.model.molecules:
                rate = build.number(f"{key}.sheds.{molecule}", number, "secretion")
                raised = f"1/({MOLECULES_PER_PMOL}*{own}.volume)"
                build.react(f"{rate}*{alive}", {f"{own}.{identifier(molecule)}": raised}, SHED)

    def _engulf(
        self, group: str, cell: CellWriter, alive: str, volume: str, entry: Microbe, key: str
    ) -> None:
        build, own, place = self.build, identifier(group), identifier(self.places[group])

        def number(part: str, value: Number | None, kind: str) -> str:
            assert value is not None
            return build.number(f"{cell.path}.{part}", value, kind)

        held = build.add(f"{own}.held", "bacteria/cell")
        appetite = number("engulfs", cell.program.engulfs, "cell clearance")
        if cell.program.holds is not None:
            appetite += f"/(1 + {held}/{number('holds', cell.program.holds, 'number')})"
        eaten = f"{appetite}*{alive}/{volume}"
        build.react(eaten, {held: "1", alive: f"-{own}.count"})
        build.react(f"{LN2}/{DIGESTION}*{held}", {held: "-1"})
        if group in self.changes:
            build.react(f"{own}.coming/({own}.count + 1)*{held}", {held: "-1"})
        for molecule, spilt in entry.spills.items():
            if molecule in self.model.molecules:
                content = build.number(f"{key}.spills.{molecule}", spilt, "molecules")
                raised = f"1/({MOLECULES_PER_PMOL}*{place}.volume)"
                fluid = f"{place}.{identifier(molecule)}"
                build.react(f"{eaten}*{own}.count*{content}", {fluid: raised}, SHED)
