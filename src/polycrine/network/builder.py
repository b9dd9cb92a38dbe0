"""Collects species, parameters and reactions of a network, and keeps the ledger of molecules."""

import math
from collections.abc import Mapping

from polycrine.catalogue.entries import Number
from polycrine.catalogue.library import Catalogue
from polycrine.errors import InputError, Problem
from polycrine.network.network import Network, Parameter, Reaction, Species, Value, identifier
from polycrine.units import ActiveForm, value_and_unit

LEDGER = "ledger"
LOST, SHED, SPILLED = "lost in tissue", "shed by bacteria", "spilled by torn cells"
BROUGHT, DIED, LEFT = "brought by cells", "lost with cells that died", "left with cells"
OWED = "owed to the fluid"
LN2 = "0.693147180559945309"
NOTHING: Mapping[str, Value] = {}


class Builder:
    """A network in the making; `numbers` are the author's own values by their path.

    varied: factors on numbers by their path, one for each member of a batch; asked: every path
    that a number was wanted for.
    """

    def __init__(
        self,
        known: Catalogue,
        molecules: tuple[str, ...],
        numbers: Mapping[str, str],
        weight_kg: Value | None,
        varied: Mapping[str, Value] = NOTHING,
    ) -> None:
        self.known, self.molecules = known, molecules
        self.numbers, self.weight_kg = numbers, weight_kg
        self.varied, self.asked = varied, set[str]()
        self.unknown: list[Problem] = []
        self.species: dict[str, Species] = {}
        self.parameters: dict[str, Parameter] = {}
        self.assignments: dict[str, str] = {}
        self.reactions: list[Reaction] = []

    def network(self) -> Network:
        """The finished network; raises InputError where numbers that it needs are not known."""
        if self.unknown:
            raise InputError(self.unknown)
        return Network(
            tuple(self.species.values()),
            tuple(self.parameters.values()),
            tuple(self.assignments.items()),
            tuple(self.reactions),
        )

    def add(
        self,
        name: str,
        unit: str,
        initial: Value = 0.0,
        *,
        pmol: str = "",
        contents: Mapping[str, int] | None = None,
        scale: float = 1.0,
    ) -> str:
        """A new species; returns its name."""
        held = tuple((contents or {}).items())
        self.species[name] = Species(name, unit, initial, held, pmol, scale)
        return name

    def constant(self, name: str, value: Value, number: Number | None = None) -> str:
        """A parameter that is derived, changed by events, or converted by the caller."""
        self.parameters[name] = Parameter(name, value, number)
        return name

    def number(
        self, path: str, number: Number, kind: str, molecule: ActiveForm | None = None
    ) -> str:
        """A parameter from a number, or from the author's own value for its path."""
        path = path.replace(" ", "_")
        name = ".".join(identifier(part) for part in path.split("."))
        if name in self.parameters:
            return name
        if path in self.numbers:
            number = author_number(self.numbers[path], number.context)
        if number.value == "unknown":
            rule = f"this {kind} is not known: nobody was seen to have measured it."
            self.unknown.append(Problem(path, rule, "Give your own under 'numbers'."))
            return self.constant(name, math.nan)
        value = number.read(kind, molecule, self.weight_kg) * self.factor(path)
        self.parameters[name] = Parameter(name, value, number, path)
        return name

    def factor(self, path: str) -> Value:
        """By what a number differs from its own value."""
        self.asked.add(path)
        return self.varied.get(path, 1.0)

    def value(self, name: str) -> Value:
        """The value of a parameter in internal units."""
        return self.parameters[name].value

    def react(self, rate: str, changes: Mapping[str, str], process: str = "") -> None:
        """A reaction; where it makes or removes molecules, `process` says how in the ledger."""
        entries = dict(changes)
        if process:
            for molecule, amount in self._net_contents(changes).items():
                entries[self.account(molecule, process)] = amount
        self.reactions.append(Reaction(rate, tuple(entries.items())))

    def account(self, molecule: str, process: str) -> str:
        """The page of the ledger for what a process does to a molecule (pmol)."""
        name = f"{LEDGER}.{identifier(molecule)}.{identifier(process)}"
        if name not in self.species:
            self.add(name, "pmol", scale=0.0)
        return name

    def _net_contents(self, changes: Mapping[str, str]) -> dict[str, str]:
        net: dict[str, list[str]] = {}
        for name, factor in changes.items():
            species = self.species[name]
            for molecule, count in species.contents:
                net.setdefault(molecule, []).append(f"({factor})*{count}*{species.pmol}")
        return {molecule: " + ".join(terms) for molecule, terms in net.items()}


def author_number(text: str, context: str) -> Number:
    """A number that the model file itself gives."""
    value, unit = value_and_unit(text)
    return Number(value=value, unit=unit, context=context, origin="author")
