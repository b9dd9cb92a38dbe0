"""A network -> SBML Level 3 Version 1 core, in minutes, with doses as events at their times.

Every species is held as what the network holds (a concentration, an amount, a count of molecules:
its notes say which), in one place of size 1; so no other program can convert it by mistake.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from polycrine.network.expressions import COMPARISONS, FUNCTIONS, Algebra, names_in, read
from polycrine.network.network import Network, Reaction, identifier
from polycrine.network.sbml import library
from polycrine.network.stops import Stop

PLACE = "system"
RESERVED = (
    PLACE,
    "model",
    "time",
    "avogadro",
    "pi",
    "true",
    "false",
    "infinity",
    "nan",
    "exponentiale",
)


def write_sbml(network: Network, name: str, schedule: Sequence[Stop] = ()) -> str:
    """The text of an SBML file: the network from its initial values on, with its schedule."""
    sbml = library()
    document = sbml.SBMLDocument(3, 1)
    model = document.createModel()
    model.setId("network")
    model.setName(name)
    minute = model.createUnitDefinition()
    minute.setId("minute")
    unit = minute.createUnit()
    unit.setKind(sbml.UNIT_KIND_SECOND)
    unit.setExponent(1)
    unit.setScale(0)
    unit.setMultiplier(60)
    model.setTimeUnits("minute")
    place = model.createCompartment()
    place.setId(PLACE)
    place.setSize(1.0)
    place.setSpatialDimensions(3)
    place.setConstant(True)
    _Writer(sbml, model, network, schedule).write()
    return str(sbml.writeSBMLToString(document))


def identifiers(network: Network) -> dict[str, str]:
    """The SBML id of each name of a network."""
    names = [species.name for species in network.species]
    names += [parameter.name for parameter in network.parameters]
    names += [name for name, _ in network.assignments]
    ids: dict[str, str] = {}
    taken = set(RESERVED)
    for name in names:
        own = identifier(name)
        own = f"_{own}" if own[0].isdigit() else own
        while own.lower() in taken:
            own += "_"
        taken.add(own.lower())
        ids[name] = own
    return ids


@dataclass(frozen=True)
class _Text:
    """A formula as text, in libsbml's notation of level 3."""

    text: str

    def __neg__(self) -> "_Text":
        return _Text(f"(-{self.text})")

    def __add__(self, other: "_Text") -> "_Text":
        return _Text(f"({self.text} + {other.text})")

    def __sub__(self, other: "_Text") -> "_Text":
        return _Text(f"({self.text} - {other.text})")

    def __mul__(self, other: "_Text") -> "_Text":
        return _Text(f"({self.text} * {other.text})")

    def __truediv__(self, other: "_Text") -> "_Text":
        return _Text(f"({self.text} / {other.text})")


def _called(name: str, *parts: _Text) -> _Text:
    return _Text(f"{name}({', '.join(part.text for part in parts)})")


_NAMED = {"log": "ln", "asin": "arcsin", "acos": "arccos", "atan": "arctan"}
_NAMED |= {f"a{name}h": f"arc{name}h" for name in ("sin", "cos", "tan")}
_COMPARED = dict(zip(COMPARISONS.values(), ("lt", "leq", "gt", "geq", "eq", "neq"), strict=True))
TEXTS = Algebra(
    number=lambda value: _Text(repr(float(value))),
    functions={name: partial(_called, _NAMED.get(name, name)) for name in FUNCTIONS},
    power=lambda base, exponent: _called("pow", base, exponent),
    compare=lambda sign, left, right: _called(_COMPARED[sign], left, right),
    choose=lambda test, body, other: _called("piecewise", body, test, other),
    all_of=lambda *parts: _called("and", *parts),
    any_of=lambda *parts: _called("or", *parts),
    none_of=lambda part: _called("not", part),
    truth=lambda value: _Text("true" if value else "false"),
)


@dataclass
class _Writer:
    """Fills an SBML model."""

    sbml: Any
    model: Any
    network: Network
    schedule: Sequence[Stop]

    def write(self) -> None:
        self.ids = identifiers(self.network)
        self.known = {name: _Text(own) for name, own in self.ids.items()} | {"t": _Text("time")}
        self.values: Mapping[str, float] = {p.name: p.value for p in self.network.parameters}
        self.changing = {name for name, _ in self.network.assignments}
        self.changing |= {species.name for species in self.network.species}
        self._quantities()
        for k, reaction in enumerate(self.network.reactions):
            for own, rate, changes in self._parts(f"reaction_{k + 1}", reaction):
                self._reaction(own, rate, changes)
        for stop in self.schedule:
            if stop.actions:
                self._event(stop)

    def _math(self, text: str) -> Any:
        formula = read(text, self.known, TEXTS).text
        settings = self.sbml.L3ParserSettings()
        settings.setParseLog(self.sbml.L3P_PARSE_LOG_AS_LN)
        node = self.sbml.parseL3FormulaWithSettings(formula, settings)
        if node is None:
            raise ValueError(self.sbml.getLastParseL3Error())
        return node

    def _quantities(self) -> None:
        actions = [action for stop in self.schedule for action in stop.actions]
        set_later = {action.index for action in actions if not action.adds}
        for species in self.network.species:
            entry = self.model.createSpecies()
            entry.setId(self.ids[species.name])
            entry.setName(species.name)
            entry.setCompartment(PLACE)
            entry.setInitialAmount(species.initial)
            entry.setHasOnlySubstanceUnits(True)
            entry.setBoundaryCondition(False)
            entry.setConstant(False)
            if species.unit:
                note = '<p xmlns="http://www.w3.org/1999/xhtml">in {}</p>'
                entry.setNotes(note.format(species.unit))
        for k, parameter in enumerate(self.network.parameters):
            self._parameter(parameter.name, k not in set_later).setValue(parameter.value)
        for name, text in self.network.assignments:
            self._parameter(name, False)
            rule = self.model.createAssignmentRule()
            rule.setVariable(self.ids[name])
            rule.setMath(self._math(text))

    def _parameter(self, name: str, constant: bool) -> Any:
        entry = self.model.createParameter()
        entry.setId(self.ids[name])
        entry.setName(name)
        entry.setConstant(constant)
        return entry

    def _parts(self, own: str, reaction: Reaction) -> Iterator[Any]:
        """A reaction of SBML for all changes by constants, and one for each other change."""
        constant = [c for c in reaction.changes if not names_in(c[1]) & self.changing]
        if constant:
            yield own, reaction.rate, constant
        for k, (species, text) in enumerate(c for c in reaction.changes if c not in constant):
            yield f"{own}_part_{k + 1}", f"({text})*({reaction.rate})", [(species, "1")]

    def _reaction(self, own: str, rate: str, changes: Sequence[tuple[str, str]]) -> None:
        entry = self.model.createReaction()
        entry.setId(own)
        entry.setReversible(False)
        entry.setFast(False)
        entry.createKineticLaw().setMath(self._math(rate))
        for k, (species, text) in enumerate(changes):
            value = float(read(text, self.values))
            taken = value < 0
            reference = entry.createReactant() if taken else entry.createProduct()
            reference.setSpecies(self.ids[species])
            reference.setConstant(True)
            reference.setStoichiometry(abs(value))
            if names_in(text):
                reference.setId(f"{own}_change_{k + 1}")
                start = self.model.createInitialAssignment()
                start.setSymbol(reference.getId())
                start.setMath(self._math(f"-({text})" if taken else text))
        changed = {self.ids[species] for species, _ in changes}
        asked = {self.ids[name] for name in self._species_in(rate)}
        for other in sorted(asked - changed):
            modifier = entry.createModifier()
            modifier.setSpecies(other)

    def _species_in(self, text: str) -> set[str]:
        return {name for name in names_in(text) if self.network.has(name)}

    def _event(self, stop: Stop) -> None:
        entry = self.model.createEvent()
        entry.setId(f"at_{identifier(f'{stop.time:g}')}")
        entry.setUseValuesFromTriggerTime(True)
        trigger = entry.createTrigger()
        trigger.setInitialValue(False)
        trigger.setPersistent(True)
        trigger.setMath(self._math(f"t >= {float(stop.time)!r}"))
        totals: dict[int, float] = {}
        for action in stop.actions:
            if action.adds:
                totals[action.index] = totals.get(action.index, 0.0) + action.value
                continue
            self._assign(
                entry, self.network.parameters[action.index].name, repr(float(action.value))
            )
        for index, value in totals.items():
            name = self.network.species[index].name
            self._assign(entry, name, f"{name} + {float(value)!r}")

    def _assign(self, event: Any, name: str, text: str) -> None:
        change = event.createEventAssignment()
        change.setVariable(self.ids[name])
        change.setMath(self._math(text))
