"""Model -> one network: places, links, what the body clears and makes, and the cells in them.

Clearance    the catalogue's clearance CL of a molecule is that of a small dose in the plasma of a
             healthy body. What the model's receptors take up at low dose is counted from their
             numbers, through the flow that reaches them; the remainder CL - uptake is first order
             in plasma. A negative remainder is an error: the counts contradict the measurement.
Rest of body healthy plasma holds each molecule because the rest of the body makes what is
             cleared: a constant source, set once the cells have settled (`settled` in `runs`).
"""

import numpy as np

from polycrine.catalogue.entries import Number
from polycrine.catalogue.library import catalogue
from polycrine.errors import InputError, Problem
from polycrine.model.model import Give, Model
from polycrine.model.programs import load_program
from polycrine.network.builder import LEDGER, Builder, author_number
from polycrine.network.cells import CellWriter, binding_parameters, molecule_gate
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
        self.volumes = {key: quantity(_volume(model, key), "volume") for key in model.places}
        self.counts = {key: count_of_cells(model, key) for key in model.cells}
        followed = set(model.molecules)
        self.complexes = [
            key for key in self.known.complexes if set(self.known.contents(key)) <= followed
        ]

    def write(self) -> Network:
        """All equations."""
        for molecule in self.model.molecules:
            self.build.constant(f"{identifier(molecule)}.gene", 1.0)
            molecule_gate(self.build, molecule)
        for place in self.model.places:
            self._fluid(place)
            self._soluble_binding(identifier(place))
        self._links()
        for key, cells in self.model.cells.items():
            count, number = self.counts[key]
            self.build.constant(f"{identifier(key)}.count", count, number)
            program, volume = load_program(cells.program), self.volumes[cells.place]
            CellWriter(self.build, key, cells.place, program, count, volume).write()
        if self.model.plasma is not None:
            self._body(self.model.plasma)
        return self.build.network()

    def _fluid(self, key: str) -> None:
        build, place = self.build, identifier(key)
        number = author_number(_volume(self.model, key), context=f"volume of {key}")
        volume = build.constant(f"{place}.volume", self.volumes[key], number)
        healthy = key == self.model.plasma or self.model.places[key].filled_with is not None
        for molecule in self.model.molecules:
            name, start = f"{place}.{identifier(molecule)}", 0.0
            if healthy:
                level = self.known.molecules[molecule].healthy_plasma
                form, path = self.known.active_form(molecule), f"{molecule}.healthy_plasma"
                start = build.value(build.number(path, level, "concentration", form))
            build.add(name, "pM", start, contents={molecule: 1}, pmol=volume)
            build.add(f"{LEDGER}.{identifier(molecule)}.given", "pmol", scale=0.0)
            if molecule in self._infused():
                rate = build.constant(f"{name}.infused", 0.0)
                build.react(f"{rate}/{volume}", {name: "1"}, "given")
        for molecule in self.complexes:
            contents = self.known.contents(molecule)
            build.add(f"{place}.{identifier(molecule)}", "pM", contents=contents, pmol=volume)

    def _infused(self) -> set[str]:
        events = (*self.model.events, *(e for arm in self.model.arms.values() for e in arm))
        return {event.give for event in events if isinstance(event, Give) and event.over}

    def _soluble_binding(self, place: str) -> None:
        build = self.build
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
            a, b = (identifier(place) for place in link.between)
            value = quantity(link.flow, "clearance", weight_kg=self.build.weight_kg)
            number = author_number(link.flow, context=f"flow between {a} and {b}")
            flow = self.build.constant(f"{a}.flow_{b}", value, number)
            for molecule in map(identifier, (*self.model.molecules, *self.complexes)):
                for here, there in ((a, b), (b, a)):
                    lost, gained = f"-1/{here}.volume", f"1/{there}.volume"
                    changes = {f"{here}.{molecule}": lost, f"{there}.{molecule}": gained}
                    self.build.react(f"{flow}*{here}.{molecule}", changes)

    def _body(self, plasma: str) -> None:
        build, place, problems = self.build, identifier(plasma), []
        for molecule in self.model.molecules:
            here, own = f"{place}.{identifier(molecule)}", identifier(molecule)
            number = self.known.molecules[molecule].clearance
            measured = build.value(build.number(f"{molecule}.clearance", number, "clearance"))
            counted = self.low_dose_uptake(molecule, plasma)
            if counted > measured:
                rule = f"receptors that face plasma take up {counted:.3g} L/min,"
                rule += f" more than the measured {measured:.3g} L/min."
                instead = "Lower receptors per cell or cells, or mend the clearance."
                problems.append(Problem(f"{molecule}.clearance", rule, instead))
            rest = build.constant(f"{own}.remainder", measured - counted)
            build.react(f"{rest}/{place}.volume*{here}", {here: "-1"}, "cleared from plasma")
            made = build.constant(f"{own}.{REST}", 0.0)
            build.react(f"{made}/{place}.volume", {here: "1"}, "made by the rest of the body")
        for name in self.complexes:
            number, here = self.known.complexes[name].clearance, f"{place}.{identifier(name)}"
            clearance = build.number(f"{name}.clearance", number, "clearance")
            build.react(f"{clearance}/{place}.volume*{here}", {here: "-1"}, "cleared from plasma")
        if problems:
            raise InputError(problems)

    def low_dose_uptake(self, molecule: str, plasma: str) -> float:
        """Clearance (L/min) of a trace in plasma by all receptors, through the links to them.

        Solves the steady trace level of every place with plasma held at 1:
        sum_b Q_ab (c_b - c_a) = U_a c_a.
        """
        places = list(self.model.places)
        exchange = np.zeros((len(places), len(places)))
        for link in self.model.links:
            a, b = (places.index(place) for place in link.between)
            flow = quantity(link.flow, "clearance", weight_kg=self.build.weight_kg)
            exchange[[a, b], [b, a]] += flow
        uptake = np.array([self._uptake_in(place, molecule) for place in places])
        balance = np.diag(exchange.sum(axis=1) + uptake) - exchange
        held = places.index(plasma)
        others = [i for i in range(len(places)) if i != held and exchange[i].any()]
        level = np.zeros(len(places))
        level[held] = 1.0
        level[others] = np.linalg.solve(balance[np.ix_(others, others)], exchange[others, held])
        return float(uptake @ level)

    def _uptake_in(self, place: str, molecule: str) -> float:
        """sum over cells and receptors of N R0 kon kint / (koff + kint), in L/min."""
        build, total = self.build, 0.0
        for key, cells in self.model.cells.items():
            receptors = load_program(cells.program).receptors if cells.place == place else {}
            for name, carried in receptors.items():
                if molecule in self.known.receptors[name].binds:
                    names = binding_parameters(build, name, molecule)
                    kd, kon, kint = (build.value(parameter) for parameter in names)
                    path = f"{cells.program}.receptors.{name}.per_cell"
                    sites = build.value(build.number(path, carried.per_cell, "molecules"))
                    pmol = self.counts[key][0] * sites / MOLECULES_PER_PMOL
                    total += pmol * kon * kint / (kd * kon + kint)
        return total


def _volume(model: Model, key: str) -> str:
    volume = model.places[key].volume
    return model.body.plasma if volume == "plasma" and model.body else volume


def held_species(model: Model) -> dict[str, str]:
    """Molecules in healthy fluids, by the species that is held while cells settle."""
    return {
        f"{identifier(key)}.{identifier(molecule)}": molecule
        for key, place in model.places.items()
        if key == model.plasma or place.filled_with is not None
        for molecule in model.molecules
    }


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
    in_blood = cells.place == model.plasma and model.body is not None
    volume = model.body.whole_blood if in_blood and model.body else _volume(model, cells.place)
    return number.read("cell concentration") * quantity(volume, "volume"), number
