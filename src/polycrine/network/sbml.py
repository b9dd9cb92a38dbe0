"""SBML (levels 1 to 3, core; hierarchical models are made flat) -> a network.

A species is held as an amount, so that a changing compartment changes its concentration; one with
a rate rule is held as what its symbol means, unless an event changes its compartment. What is not
carried (algebraic rules, the delay function, fast reactions, flux balances) is refused with its
line; nothing is read in part.
"""

import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from polycrine.errors import InputError, Problem, wrong
from polycrine.network.expressions import names_in, read
from polycrine.network.network import Event, Network, Parameter, Reaction, Species

AVOGADRO = 6.02214179e23  # the value that SBML defines
TAKEN = ("t", "true", "false")  # names that rate laws have already


@dataclass(frozen=True)
class Quantity:
    """A symbol of the file and what its value is: expressions in the network's own names.

    name: as shown; kind: species, compartment, parameter, stoichiometry or reaction; value: of the
    symbol; amount and concentration: of a species; changes: whether it can differ from what it is
    at the start.
    """

    id: str
    name: str
    kind: str
    value: str
    changes: bool
    amount: str = ""
    concentration: str = ""


@dataclass(frozen=True)
class SbmlModel:
    """A model that was read from SBML: its equations, and what they say of each symbol.

    starts: of names of the network, what their values at the start were computed from.
    """

    name: str
    network: Network
    quantities: tuple[Quantity, ...]
    starts: Mapping[str, frozenset[str]] = field(default_factory=dict)


def library() -> Any:
    """The library that reads and writes the files; raises InputError where it is not there."""
    try:
        import libsbml
    except ImportError as error:
        instead = "Install it: pip install python-libsbml."
        raise wrong("SBML", "it needs the package python-libsbml.", instead) from error
    return libsbml


def read_sbml(source: Path | str) -> SbmlModel:
    """The model in an SBML file (a path) or text; raises InputError with every problem of it."""
    libsbml = library()
    if isinstance(source, Path) and not source.is_file():
        raise wrong(str(source), "there is no such file.")
    name = str(source) if isinstance(source, Path) else "SBML"
    document = (
        libsbml.readSBMLFromFile(str(source))
        if isinstance(source, Path)
        else libsbml.readSBMLFromString(source)
    )
    body = document.getModel().getLine() if document.getModel() is not None else np.inf
    errors = [document.getError(k) for k in range(document.getNumErrors())]
    serious = [
        e
        for e in errors
        if e.getSeverity() >= libsbml.LIBSBML_SEV_ERROR
        and e.getErrorId() not in (libsbml.MissingXMLEncoding, libsbml.BadXMLDecl)
        and not (e.getErrorId() == libsbml.NotSchemaConformant and e.getLine() < body)
    ]  # no XML declaration, an attribute too many in the first line: so many programs write
    if serious:
        raise InputError(
            [Problem(f"{name}, line {e.getLine()}", e.getShortMessage() + ".", "") for e in serious]
        )
    _refuse_packages(document, name)
    for option in ("flatten comp", "expandFunctionDefinitions", "promoteLocalParameters"):
        if option == "flatten comp" and document.getPlugin("comp") is None:
            continue
        properties = libsbml.ConversionProperties()
        properties.addOption(option, True)
        if option == "flatten comp":
            properties.addOption("performValidation", False)
        if document.convert(properties) != libsbml.LIBSBML_OPERATION_SUCCESS:
            raise wrong(name, f"libsbml cannot carry out '{option}' on it.")
    if document.getModel() is None:
        raise wrong(name, "there is no model in it.")
    return _Reader(document.getModel(), name).model()


def _refuse_packages(document: Any, name: str) -> None:
    known = ("comp", "layout", "render", "annot", "l3v2extendedmath", "groups")
    problems = []
    for k in range(document.getNumPlugins()):
        package = document.getPlugin(k).getPackageName()
        if package not in known and (document.getPkgRequired(package) or package == "fbc"):
            problems.append(Problem(name, f"the package '{package}' is not carried.", ""))
    for k in range(document.getNumUnknownPackages()):
        if document.getUnknownPackageRequired(k):
            package = document.getUnknownPackageURI(k)
            problems.append(Problem(name, f"the package '{package}' is not carried.", ""))
    if problems:
        raise InputError(problems)


@dataclass
class _Reader:
    """Reads one flat model."""

    source: Any
    name: str
    problems: list[Problem] = field(default_factory=list)
    starts: dict[str, frozenset[str]] = field(default_factory=dict)

    def model(self) -> SbmlModel:
        """The model; raises InputError with everything that is not carried."""
        m = self.source
        self.names = self._names()
        self.compartments = {c.getId(): c for c in m.getListOfCompartments()}
        self.species = {s.getId(): s for s in m.getListOfSpecies()}
        self.parameters = {p.getId(): p for p in m.getListOfParameters()}
        self.references = {
            r.getId(): r
            for reaction in m.getListOfReactions()
            for side in (reaction.getListOfReactants(), reaction.getListOfProducts())
            for r in side
            if r.isSetId()
        }
        self.initially, self.assigned, self.rated = self._rules()
        self.events = self._changed_by_events()
        self.laws = self._laws()
        self.rates: dict[str, str] = {}
        self.asked: set[str] = set()
        self.moved = self._moved()
        network = self._network()
        if self.problems:
            raise InputError(self.problems)
        quantities = tuple(self._quantities())
        return SbmlModel(m.getName() or m.getId() or "model", network, quantities, self.starts)

    # ---- names and text -------------------------------------------------------------------

    def _names(self) -> dict[str, str]:
        """What each id is called in rate laws."""
        ids = [e.getId() for e in self.source.getListOfAllElements() if e.isSetId()]
        names: dict[str, str] = {}
        for own in dict.fromkeys(ids):
            name = own
            while keyword.iskeyword(name) or name in TAKEN or name in names.values():
                name += "_"
            names[own] = name
        return names

    def _problem(self, element: Any, rule: str) -> None:
        line = element.getLine() if element is not None else 0
        place = f"{self.name}, line {line}" if line else self.name
        self.problems.append(Problem(place, rule, ""))

    def _text(self, node: Any) -> str:
        """A formula in the network's grammar."""
        return _Formula(self).text(node)

    def symbol(self, own: str) -> str:
        """What a symbol of the file means in a formula."""
        name = self.names.get(own, own)
        if own in self.species and not self._is_held_as_meant(own):
            return f"({name}/{self.volume(own)})"
        if own in self.laws:
            return f"({self.rate(own)})"
        return name

    def volume(self, species: str) -> str:
        """The size of the compartment of a species."""
        return self.names[self.species[species].getCompartment()]

    def _is_amount(self, own: str) -> bool:
        """Whether the symbol of a species means its amount."""
        s = self.species[own]
        compartment = self.compartments[s.getCompartment()]
        flat = compartment.getSpatialDimensionsAsDouble() == 0
        return bool(s.getHasOnlySubstanceUnits()) or flat

    def _is_held_as_meant(self, own: str) -> bool:
        """Whether the network holds what the symbol of a species means: not so where it means a
        concentration and the network holds an amount."""
        by_rule = own in self.rated and self.species[own].getCompartment() not in self.events
        return own in self.assigned or by_rule or self._is_amount(own)

    # ---- what changes ---------------------------------------------------------------------

    def _rules(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        m = self.source
        initially = {
            a.getSymbol(): a.getMath() for a in m.getListOfInitialAssignments() if a.isSetMath()
        }
        assigned: dict[str, Any] = {}
        rated: dict[str, Any] = {}
        for rule in m.getListOfRules():
            if rule.isAlgebraic():
                self._problem(rule, "an algebraic rule is not carried.")
            elif rule.isSetMath():
                (assigned if rule.isAssignment() else rated)[rule.getVariable()] = rule.getMath()
        return initially, assigned, rated

    def _changed_by_events(self) -> set[str]:
        return {
            change.getVariable()
            for event in self.source.getListOfEvents()
            for change in event.getListOfEventAssignments()
            if change.isSetMath()
        }

    def _laws(self) -> dict[str, Any]:
        """The kinetic law of each reaction."""
        laws = {}
        for reaction in self.source.getListOfReactions():
            if reaction.isSetFast() and reaction.getFast():
                self._problem(reaction, "a fast reaction is not carried.")
            law = reaction.getKineticLaw()
            laws[reaction.getId()] = law.getMath() if law is not None else None
        return laws

    def rate(self, reaction: str) -> str:
        """The rate of a reaction."""
        if reaction not in self.rates:
            if reaction in self.asked:
                raise wrong(self.name, f"the rate of '{reaction}' depends on itself.")
            self.asked.add(reaction)
            law = self.laws[reaction]
            self.rates[reaction] = "0" if law is None else self._text(law)
        return self.rates[reaction]

    def _moved(self) -> dict[str, list[tuple[str, str]]]:
        """Of each species that reactions change: the rates and what one unit does to it."""
        m = self.source
        found: dict[str, list[tuple[str, str]]] = {}
        for reaction in m.getListOfReactions():
            if self.laws[reaction.getId()] is None:
                continue
            for sign, side in (
                ("-", reaction.getListOfReactants()),
                ("", reaction.getListOfProducts()),
            ):
                for reference in side:
                    own = reference.getSpecies()
                    s = self.species[own]
                    if s.getBoundaryCondition() or s.getConstant():
                        continue
                    factor = f"{sign}({self._stoichiometry(reference)})"
                    conversion = s.getConversionFactor() or m.getConversionFactor()
                    if conversion:
                        factor += f"*{self.names[conversion]}"
                    found.setdefault(own, []).append((reaction.getId(), factor))
        return found

    def _stoichiometry(self, reference: Any) -> str:
        if reference.isSetStoichiometryMath():
            return self._text(reference.getStoichiometryMath().getMath())
        if reference.isSetId():
            return self.names[reference.getId()]
        value = reference.getStoichiometry()
        return _number(value / (reference.getDenominator() or 1))

    def rate_of(self, own: str, element: Any) -> str:
        """How fast a symbol changes between events."""
        if own in self.rated:
            return f"({self._text(self.rated[own])})"
        if own in self.assigned or own in self.laws:
            self._problem(element, f"the rate of '{own}', which a rule assigns, is not carried.")
            return "0"
        terms = [f"({factor})*({self.rate(r)})" for r, factor in self.moved.get(own, [])]
        amount = f"({' + '.join(terms) or '0'})"
        if own not in self.species or self._is_amount(own):
            return amount
        place, volume = self.species[own].getCompartment(), self.volume(own)
        if place in self.assigned:
            self._problem(element, f"the rate of '{own}' in a changing place is not carried.")
        swelling = f" - {self.symbol(own)}*{self.rate_of(place, element)}"
        return f"(({amount}{swelling if place in self.rated else ''})/{volume})"

    # ---- the network ----------------------------------------------------------------------

    def _network(self) -> Network:
        values = self._initial_values()
        changing = {*self.rated, *self.moved, *self.events}
        states, constants = [], []
        held = [*self.compartments, *self.species, *self.parameters, *self.references]
        for own in held:
            if own in self.assigned:
                continue
            name, value = self.names[own], float(values[self.names[own]])
            if own in changing:
                states.append(Species(name, "", value, scale=1.0))
            else:
                constants.append(Parameter(name, value))
        reactions = [self._ruled(own, math) for own, math in self.rated.items()]
        by_rate: dict[str, list[tuple[str, str]]] = {}
        for own, terms in self.moved.items():
            for rate, factor in terms:
                by_rate.setdefault(rate, []).append((self.names[own], factor))
        reactions += [Reaction(self.rate(r), tuple(terms)) for r, terms in by_rate.items()]
        assignments = self._assignments()
        events = tuple(self._event(event) for event in self.source.getListOfEvents())
        kept = tuple(event for event in events if event is not None)
        for state in states:
            if not np.isfinite(state.initial):
                self.problems.append(
                    Problem(self.name, f"'{state.name}' changes and has no initial value.", "")
                )
        return Network(tuple(states), tuple(constants), assignments, tuple(reactions), kept)

    def _ruled(self, own: str, math: Any) -> Reaction:
        """A rate rule: of an amount (c V)' = c' V + c V' where that is what is held."""
        rate = self._text(math)
        if own in self.species and not self._is_held_as_meant(own):
            place = self.rate_of(self.species[own].getCompartment(), None)
            rate = f"({rate})*{self.volume(own)} + {self.symbol(own)}*{place}"
        return Reaction(rate, ((self.names[own], "1"),))

    def _assignments(self) -> tuple[tuple[str, str], ...]:
        texts = {self.names[own]: self._text(math) for own, math in self.assigned.items()}
        order = _ordered({name: names_in(text) & texts.keys() for name, text in texts.items()})
        return tuple((name, texts[name]) for name in order)

    def _event(self, event: Any) -> Event | None:
        trigger = event.getTrigger()
        if trigger is None or not trigger.isSetMath():
            return None
        changes = []
        for change in event.getListOfEventAssignments():
            if not change.isSetMath():
                continue
            own = change.getVariable()
            as_meant = own not in self.species or self._is_held_as_meant(own)
            factor = "1" if as_meant else self.volume(own)
            changes.append((self.names[own], self._text(change.getMath()), factor))
        delay, priority = event.getDelay(), event.getPriority()
        lowest = "-1e300"
        return Event(
            event.getId() or event.getName(),
            self._text(trigger.getMath()),
            tuple(changes),
            self._text(delay.getMath()) if delay is not None and delay.isSetMath() else "0",
            self._text(priority.getMath()) if priority and priority.isSetMath() else lowest,
            bool(trigger.getPersistent()) if trigger.isSetPersistent() else True,
            bool(trigger.getInitialValue()) if trigger.isSetInitialValue() else True,
            bool(event.getUseValuesFromTriggerTime()),
        )

    def _initial_values(self) -> Mapping[str, Any]:
        """The value of every name of the network at the start, each found when it is asked for."""
        own_of = {name: own for own, name in self.names.items()}
        reader = self

        class Values(dict[str, Any]):
            asked: set[str] = set()
            asking: list[str] = []

            def __getitem__(self, name: str) -> Any:
                value = super().__getitem__(name)
                for outer in self.asking[-1:]:
                    behind = reader.starts.get(name, frozenset()) | {name}
                    reader.starts[outer] = reader.starts.get(outer, frozenset()) | behind
                return value

            def __missing__(self, name: str) -> Any:
                own = own_of.get(name, name)
                if own in self.asked:
                    rule = f"the value of '{own}' at the start depends on itself."
                    raise wrong(reader.name, rule)
                self.asked.add(own)
                self.asking.append(name)
                self[name] = value = reader._initial(own, self)
                self.asking.pop()
                return value

        return Values({"t": 0.0})

    def _initial(self, own: str, values: Mapping[str, Any]) -> float:
        formula = self.initially.get(own) or self.assigned.get(own)
        if own in self.species:
            return self._initial_species(own, formula, values)
        if formula is not None:
            return float(read(self._text(formula), values))
        if own in self.compartments:
            c = self.compartments[own]
            return float(c.getSize()) if c.isSetSize() else (1.0 if c.getLevel() == 1 else np.nan)
        if own in self.parameters:
            p = self.parameters[own]
            return float(p.getValue()) if p.isSetValue() else np.nan
        if own in self.references:
            r = self.references[own]
            if r.isSetStoichiometryMath():
                return float(read(self._text(r.getStoichiometryMath().getMath()), values))
            set_at_all = r.getLevel() < 3 or r.isSetStoichiometry()
            return float(r.getStoichiometry()) if set_at_all else np.nan
        raise wrong(self.name, f"'{own}' has no value.")

    def _initial_species(self, own: str, formula: Any, values: Mapping[str, Any]) -> float:
        s = self.species[own]
        amount_meant, as_meant = self._is_amount(own), self._is_held_as_meant(own)

        def volume() -> float:
            return float(values[self.volume(own)])

        if formula is not None:
            meant = float(read(self._text(formula), values))
            return meant if as_meant else meant * volume()
        if s.isSetInitialAmount():
            amount = float(s.getInitialAmount())
            return amount / volume() if as_meant and not amount_meant else amount
        if s.isSetInitialConcentration():
            level = float(s.getInitialConcentration())
            return level if as_meant and not amount_meant else level * volume()
        return np.nan

    # ---- what can be shown ----------------------------------------------------------------

    def _quantities(self) -> list[Quantity]:
        changing = {*self.rated, *self.moved, *self.events, *self.assigned}
        rows = [Quantity(r, r, "reaction", self.symbol(r), True) for r in self.laws]
        for kind, entries in (
            ("species", self.species),
            ("compartment", self.compartments),
            ("parameter", self.parameters),
            ("stoichiometry", self.references),
        ):
            for own, element in entries.items():
                row = (own, element.getName() or own, kind, self.symbol(own))
                if kind != "species":
                    rows.append(Quantity(*row, own in changing))
                    continue
                name, volume = self.names[own], self.volume(own)
                per_volume = self._is_held_as_meant(own) and not self._is_amount(own)
                amount = f"({name}*{volume})" if per_volume else name
                level = name if per_volume else f"({name}/{volume})"
                moves = bool({own, element.getCompartment()} & changing)
                rows.append(Quantity(*row, moves, amount, level))
        return rows


def _number(value: float) -> str:
    if np.isnan(value):
        return "(1e999 - 1e999)"
    return f"({value!r})" if value < 0 else repr(float(value)).replace("inf", "1e999")


def _ordered(needs: Mapping[str, set[str]]) -> list[str]:
    """Names, each behind those that it needs; raises InputError for a circle."""
    order: list[str] = []
    left = dict(needs)
    while left:
        ready = [name for name, wanted in left.items() if not wanted & left.keys()]
        if not ready:
            raise wrong(", ".join(left), "these are defined by one another in a circle.")
        order += ready
        for name in ready:
            del left[name]
    return order


class _Formula:
    """MathML -> the network's grammar."""

    def __init__(self, reader: _Reader) -> None:
        L = library()
        self.reader, self.L = reader, L
        plain = ("SIN", "COS", "TAN", "SINH", "COSH", "TANH", "EXP", "FLOOR", "ABS", "FACTORIAL")
        self.functions = {getattr(L, f"AST_FUNCTION_{name}"): name.lower() for name in plain}
        self.functions |= {
            getattr(L, f"AST_FUNCTION_ARC{name}"): f"a{name.lower()}"
            for name in ("SIN", "COS", "TAN", "SINH", "COSH", "TANH")
        }
        self.functions |= {L.AST_FUNCTION_CEILING: "ceil", L.AST_FUNCTION_LN: "log"}
        turned = {"SEC": "cos", "CSC": "sin", "COT": "tan"}
        turned |= {f"{name}H": f"{of}h" for name, of in turned.items()}
        self.inverse = {getattr(L, f"AST_FUNCTION_{n}"): of for n, of in turned.items()}
        self.of_inverse = {getattr(L, f"AST_FUNCTION_ARC{n}"): f"a{of}" for n, of in turned.items()}
        self.signs = {
            **{L.AST_RELATIONAL_EQ: "==", L.AST_RELATIONAL_NEQ: "!="},
            **{L.AST_RELATIONAL_LT: "<", L.AST_RELATIONAL_LEQ: "<="},
            **{L.AST_RELATIONAL_GT: ">", L.AST_RELATIONAL_GEQ: ">="},
        }
        self.words = {
            **{L.AST_CONSTANT_E: repr(float(np.e)), L.AST_CONSTANT_PI: repr(float(np.pi))},
            **{L.AST_CONSTANT_TRUE: "true", L.AST_CONSTANT_FALSE: "false"},
            **{L.AST_NAME_TIME: "t", L.AST_NAME_AVOGADRO: repr(AVOGADRO)},
        }
        self.special: dict[int, Callable[[Any, list[str]], str]] = {
            L.AST_FUNCTION_PIECEWISE: self._piecewise,
            L.AST_FUNCTION_LOG: self._logarithm,
            L.AST_FUNCTION_ROOT: self._root,
            L.AST_FUNCTION_RATE_OF: self._rate_of,
            L.AST_FUNCTION_MAX: lambda _, parts: _extreme(">", parts),
            L.AST_FUNCTION_MIN: lambda _, parts: _extreme("<", parts),
            L.AST_FUNCTION_QUOTIENT: lambda _, parts: _quotient(*parts),
            L.AST_FUNCTION_REM: lambda _, p: f"({p[0]} - {p[1]}*{_quotient(*p)})",
            L.AST_LOGICAL_XOR: self._one_of,
            L.AST_LOGICAL_IMPLIES: lambda _, parts: f"(not {parts[0]} or {parts[1]})",
        }

    def text(self, node: Any) -> str:
        """The text of a formula."""
        L, kind = self.L, node.getType()
        if node.isNumber():
            return _number(node.getValue())
        if kind in self.words:
            return self.words[kind]
        if kind == L.AST_NAME:
            return self.reader.symbol(node.getName())
        if kind == L.AST_FUNCTION_DELAY or kind not in self._known():
            named = node.getName() or L.formulaToL3String(node)
            what = "delay" if kind == L.AST_FUNCTION_DELAY else named
            self.reader._problem(node.getParentSBMLObject(), f"'{what}' is not carried.")
            return "0"
        if kind == L.AST_FUNCTION_RATE_OF:
            return self._rate_of(node, [])
        parts = [self.text(node.getChild(k)) for k in range(node.getNumChildren())]
        if kind in self.functions:
            return f"{self.functions[kind]}({parts[0]})"
        if kind in self.inverse:
            return f"(1.0/{self.inverse[kind]}({parts[0]}))"
        if kind in self.of_inverse:
            return f"{self.of_inverse[kind]}(1.0/{parts[0]})"
        if kind in self.signs:
            pairs = [
                f"({a} {self.signs[kind]} {b})" for a, b in zip(parts, parts[1:], strict=False)
            ]
            return f"({' and '.join(pairs)})" if pairs else "true"
        return (
            self.special[kind](node, parts) if kind in self.special else self._joined(kind, parts)
        )

    def _known(self) -> set[int]:
        L = self.L
        joined = {L.AST_PLUS, L.AST_MINUS, L.AST_TIMES, L.AST_DIVIDE, L.AST_POWER}
        joined |= {L.AST_FUNCTION_POWER, L.AST_LOGICAL_AND, L.AST_LOGICAL_OR, L.AST_LOGICAL_NOT}
        many = (self.functions, self.inverse, self.of_inverse, self.signs, self.special)
        return joined.union(*many)

    def _joined(self, kind: int, parts: list[str]) -> str:
        L = self.L
        if kind == L.AST_LOGICAL_NOT:
            return f"(not {parts[0]})"
        if kind == L.AST_MINUS and len(parts) == 1:
            return f"(-{parts[0]})"
        signs = {
            **{L.AST_PLUS: (" + ", "0"), L.AST_MINUS: (" - ", "0"), L.AST_TIMES: ("*", "1")},
            **{L.AST_DIVIDE: ("/", "1"), L.AST_LOGICAL_AND: (" and ", "true")},
            L.AST_LOGICAL_OR: (" or ", "false"),
        }
        sign, nothing = signs.get(kind, ("**", "1"))
        return f"({sign.join(parts)})" if parts else nothing

    def _piecewise(self, _: Any, parts: list[str]) -> str:
        text = parts[-1] if len(parts) % 2 else _number(np.nan)
        for k in range(len(parts) // 2 - 1, -1, -1):
            text = f"({parts[2 * k]} if {parts[2 * k + 1]} else {text})"
        return text

    def _logarithm(self, _: Any, parts: list[str]) -> str:
        base, argument = parts if len(parts) == 2 else ("10.0", parts[0])
        return f"(log({argument})/log({base}))"

    def _root(self, _: Any, parts: list[str]) -> str:
        degree, argument = parts if len(parts) == 2 else ("2.0", parts[0])
        return f"({argument}**(1.0/{degree}))"

    def _rate_of(self, node: Any, _: list[str]) -> str:
        own = node.getChild(0).getName()
        return self.reader.rate_of(own, node.getParentSBMLObject())

    def _one_of(self, _: Any, parts: list[str]) -> str:
        text = parts[0] if parts else "false"
        for part in parts[1:]:
            text = f"(({text} and not {part}) or (not {text} and {part}))"
        return text


def _extreme(sign: str, parts: list[str]) -> str:
    text = parts[0]
    for part in parts[1:]:
        text = f"({text} if {text} {sign} {part} else {part})"
    return text


def _quotient(a: str, b: str) -> str:
    return f"(floor({a}/{b}) if {a}/{b} >= 0 else ceil({a}/{b}))"
