"""Model -> one network: places, links, what the body clears and makes, and the cells in them.

Clearance    the catalogue's clearance CL of a molecule is that of a small dose in the plasma of a
             healthy body. What the model's receptors take up at low dose is counted from their
             numbers, through the flow that reaches them; the remainder CL - uptake is first order
             in plasma. A negative remainder is an error: the counts contradict the measurement.
Rest of body healthy plasma holds each molecule because the rest of the body makes what is
             cleared: a constant source, set once the cells have settled (`settle` in `runs`).
"""

from __future__ import annotations

import numpy as np

from polycrine.catalogue.entries import Number
from polycrine.catalogue.library import catalogue
from polycrine.errors import InputError, Problem
from polycrine.model.model import Give, KnockOut, Model
from polycrine.model.programs import Program, load_program
from polycrine.network.builder import LEDGER, Builder, author_number
from polycrine.network.cells import CellWriter, binding_parameters, gene_gate, molecule_gate
from polycrine.network.network import Network, identifier
from polycrine.units import MOLECULES_PER_PMOL, quantity

REST = "rest_of_body"


def to_network(model: Model) -> Network:
    """The one network of all stirred places with one representative cell per type.

    Raises InputError when the receptors of a model clear more than was measured.
    """
    return NetworkWriter(model).write()


class NetworkWriter:
    """Writes the equations of a whole declaration."""

    def __init__(self, model: Model) -> None:
        self.model, self.known = model, catalogue()
        weight = quantity(model.body.weight, "body mass") if model.body else None
        self.build = Builder(self.known, model.molecules, model.numbers, weight)
        self.volumes = {key: self._volume(key) for key in model.places}
        self.programs = {key: load_program(cells.program) for key, cells in model.cells.items()}
        self.counts = {key: count_of_cells(model, key) for key in model.cells}
        self.missing = {event.knock_out for event in model.events if isinstance(event, KnockOut)}
        self.events = [*model.events, *(event for arm in model.arms.values() for event in arm)]
        self.complexes = [key for key, entry in self.known.complexes.items()
                          if set(self.known.contents(key)) <= set(model.molecules)]  # fmt: skip

    def write(self) -> Network:
        """All equations."""
        for molecule in self.model.molecules:
            gene_gate(self.build, molecule)
            molecule_gate(self.build, molecule)
        for place in self.model.places:
            self._fluid(place)
        for place in self.model.places:
            self._soluble_binding(place)
        self._links()
        for key, cells in self.model.cells.items():
            volume = self.volumes[cells.place]
            count, number = self.counts[key]
            self.build.constant(f"{identifier(key)}.count", count, number)
            CellWriter(self.build, key, cells.place, self.programs[key], count, volume).write()
        if self.model.plasma is not None:
            self._body(self.model.plasma)
        return self.build.network()

    def _volume(self, key: str) -> float:
        place = self.model.places[key]
        if place.volume == "plasma":
            assert self.model.body is not None
            return quantity(self.model.body.plasma, "volume")
        return quantity(place.volume, "volume")

    def _fluid(self, key: str) -> None:
        place, build = self.model.places[key], self.build
        written = self.model.body.plasma if self.model.body and key == self.model.plasma else None
        number = author_number(written or place.volume, context=f"volume of {key}")
        volume = build.constant(f"{identifier(key)}.volume", self.volumes[key], number)
        healthy = key == self.model.plasma or place.filled_with is not None
        for molecule in self.model.molecules:
            form = self.known.active_form(molecule)
            level = self.known.molecules[molecule].healthy_plasma
            start = 0.0
            if healthy:
                path = f"{molecule}.healthy_plasma"
                found = build.value(build.number(path, level, "concentration", form))
                start = 0.0 if molecule in self.missing else found
            build.add(f"{identifier(key)}.{identifier(molecule)}", "pM", start,
                      contents={molecule: 1}, pmol=volume)  # fmt: skip
            self._infusion(key, molecule)
        for molecule in self.complexes:
            build.add(f"{identifier(key)}.{identifier(molecule)}", "pM", pmol=volume,
                      contents=self.known.contents(molecule))  # fmt: skip

    def _infusion(self, key: str, molecule: str) -> None:
        """The inflow that doses use: `infused` (pmol/min), and the ledger's account of doses."""
        build, name = self.build, f"{identifier(key)}.{identifier(molecule)}"
        build.add(f"{LEDGER}.{identifier(molecule)}.given", "pmol", scale=0.0)
        if any(
            isinstance(event, Give) and event.give == molecule and event.over
            for event in self.events
        ):
            rate = build.constant(f"{name}.infused", 0.0)
            build.react(f"{rate}/{identifier(key)}.volume", {name: "1"}, "given")

    def _soluble_binding(self, key: str) -> None:
        build, place = self.build, identifier(key)
        for name in self.complexes:
            entry = self.known.complexes[name]
            kd = build.number(f"{name}.Kd", entry.kd, "concentration")
            kon = build.number(f"{name}.kon", entry.kon, "association rate")
            first, second, bound = (f"{place}.{identifier(part)}" for part in (*entry.parts, name))
            gate = "*".join(molecule_gate(build, part) for part in entry.parts)
            build.react(f"{gate}*{kon}*{first}*{second}", {first: "-1", second: "-1", bound: "1"})
            build.react(f"{kd}*{kon}*{bound}", {first: "1", second: "1", bound: "-1"})

    def _links(self) -> None:
        for link in self.model.links:
            flow_value = quantity(link.flow, "clearance", weight_kg=self.build.weight_kg)
            a, b = (identifier(place) for place in link.between)
            number = author_number(link.flow, context=f"flow between {a} and {b}")
            flow = self.build.constant(f"{a}.flow_{b}", flow_value, number)
            for molecule in (*self.model.molecules, *self.complexes):
                here, there = (f"{place}.{identifier(molecule)}" for place in (a, b))
                self.build.react(f"{flow}*{here}", {here: f"-1/{a}.volume", there: f"1/{b}.volume"})
                self.build.react(
                    f"{flow}*{there}", {there: f"-1/{b}.volume", here: f"1/{a}.volume"}
                )

    def _body(self, plasma: str) -> None:
        build, place = self.build, identifier(plasma)
        problems = []
        for molecule in self.model.molecules:
            entry, here = self.known.molecules[molecule], f"{place}.{identifier(molecule)}"
            measured = build.value(
                build.number(f"{molecule}.clearance", entry.clearance, "clearance")
            )
            counted = self.low_dose_uptake(molecule, plasma)
            if counted > measured:
                problems.append(Problem(f"{molecule}.clearance", f"receptors that face plasma take"
                    f" up {counted:.3g} L/min, more than the measured {measured:.3g} L/min.",
                    "Lower the receptors per cell or the count of cells, or mend the clearance."
                ))  # fmt: skip
            rest = build.constant(f"{identifier(molecule)}.remainder", measured - counted)
            build.react(f"{rest}/{place}.volume*{here}", {here: "-1"}, "cleared from plasma")
            made = build.constant(f"{identifier(molecule)}.{REST}", 0.0)
            build.react(f"{made}/{place}.volume", {here: "1"}, "made by the rest of the body")
        for name in self.complexes:
            clearance = build.number(f"{name}.clearance", self.known.complexes[name].clearance,
                                     "clearance")  # fmt: skip
            here = f"{place}.{identifier(name)}"
            build.react(f"{clearance}/{place}.volume*{here}", {here: "-1"}, "cleared from plasma")
        if problems:
            raise InputError(problems)

    def low_dose_uptake(self, molecule: str, plasma: str) -> float:
        """Clearance (L/min) of a trace in plasma by all receptors, through the links that reach them.

        Solves the steady trace level of every place with plasma held at 1:
        sum_b Q_ab (c_b - c_a) = U_a c_a.
        """
        places = list(self.model.places)
        exchange = np.zeros((len(places), len(places)))
        for link in self.model.links:
            a, b = (places.index(place) for place in link.between)
            flow = quantity(link.flow, "clearance", weight_kg=self.build.weight_kg)
            exchange[a, b] += flow
            exchange[b, a] += flow
        uptake = np.array([self._uptake_in(place, molecule) for place in places])
        balance = np.diag(exchange.sum(axis=1) + uptake) - exchange
        held = places.index(plasma)
        others = [i for i in range(len(places)) if i != held and (exchange[i].any())]
        level = np.zeros(len(places))
        level[held] = 1.0
        if others:
            level[others] = np.linalg.solve(balance[np.ix_(others, others)], -balance[others, held])
        return float(uptake @ level)

    def _uptake_in(self, place: str, molecule: str) -> float:
        total = 0.0
        for key, cells in self.model.cells.items():
            if cells.place != place:
                continue
            program = self.programs[key]
            for name, carried in program.receptors.items():
                if molecule in self.known.receptors[name].binds:
                    total += self.counts[key][0] * self._per_cell(program, name, carried,
                                                                          molecule)  # fmt: skip
        return total

    def _per_cell(self, program: Program, name: str, carried: object, molecule: str) -> float:
        build = self.build
        kd, kon, kint = (build.value(p) for p in binding_parameters(build, name, molecule))
        path = f"{program.program.replace(' ', '_')}.receptors.{name}.per_cell"
        amount = build.value(build.number(path, program.receptors[name].per_cell, "molecules"))
        captured = kint / (kd * kon + kint)
        return amount / MOLECULES_PER_PMOL * kon * captured


def held_species(model: Model) -> dict[str, str]:
    """Molecules in healthy fluids by the species that is held while cells settle."""
    healthy = [key for key, place in model.places.items()
               if key == model.plasma or place.filled_with is not None]  # fmt: skip
    return {f"{place}.{molecule}": f"{identifier(place)}.{identifier(molecule)}"
            for place in healthy for molecule in model.molecules}  # fmt: skip


def count_of_cells(model: Model, key: str) -> tuple[float, Number]:
    """How many cells of a type there are, and the number that says so.

    A concentration counts per litre of whole blood in the body's plasma, else per litre of place.
    """
    cells = model.cells[key]
    number = load_program(cells.program).healthy_count
    text = cells.count or cells.concentration
    if text is not None:
        number = author_number(text, context=f"{key} of the model")
    assert number is not None
    if not number.unit:
        return number.read("number"), number
    if cells.place == model.plasma and model.body is not None:
        volume = quantity(model.body.whole_blood, "volume")
    else:
        volume = quantity(model.places[cells.place].volume, "volume")
    return number.read("cell concentration") * volume, number
