"""Expressions as one graph of shared terms, with exact derivatives.

Every term is stored once, behind the terms that it is made of; so what two rate laws share is
computed once, and a walk in order of position meets parts before wholes.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from polycrine.network.expressions import FUNCTIONS, NUMBERS, Algebra

NOTHING: frozenset[str] = frozenset()


class Term:
    """A term of a graph by its position; + - * / build new ones."""

    __slots__ = ("at", "graph")

    def __init__(self, graph: "Graph", at: int) -> None:
        self.graph, self.at = graph, at

    def __add__(self, other: "Term") -> "Term":
        return self.graph.sum(self, other)

    def __sub__(self, other: "Term") -> "Term":
        return self.graph.sum(self, -other)

    def __neg__(self) -> "Term":
        return self.graph.product(self.graph.number(-1.0), self)

    def __mul__(self, other: "Term") -> "Term":
        return self.graph.product(self, other)

    def __truediv__(self, other: "Term") -> "Term":
        return self.graph.quotient(self, other)

    @property
    def value(self) -> float | None:
        """Its value where it is a number."""
        node = self.graph.nodes[self.at]
        return float(node.value) if node.operation == "number" else None

    @property
    def names(self) -> frozenset[str]:
        """The symbols that it depends on."""
        return self.graph.depends[self.at]


class Node(NamedTuple):
    """operation: number, symbol, add, multiply, divide, power, a function, a comparison, and, or,
    not, choose; parts: positions; value: of a number, name of a symbol."""

    operation: str
    parts: tuple[int, ...] = ()
    value: Any = None


class Graph:
    """Terms, each stored once."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.depends: list[frozenset[str]] = []
        self._places: dict[Node, int] = {}
        self._slopes: dict[tuple[int, str], Term] = {}
        self.algebra = Algebra(
            number=self.number,
            functions={name: self._function(name) for name in FUNCTIONS},
            power=self.power,
            compare=lambda sign, left, right: self._term(sign, left, right),
            choose=self.choose,
            all_of=lambda *parts: self._joined("and", parts),
            any_of=lambda *parts: self._joined("or", parts),
            none_of=lambda part: self._term("not", part),
            truth=lambda value: self.number(1.0 if value else 0.0),
        )

    def number(self, value: float) -> Term:
        """A number."""
        return self._stored(Node("number", (), float(value)), NOTHING)

    def symbol(self, name: str) -> Term:
        """A symbol."""
        return self._stored(Node("symbol", (), name), frozenset({name}))

    def _stored(self, node: Node, names: frozenset[str]) -> Term:
        at = self._places.get(node)
        if at is None:
            at = self._places[node] = len(self.nodes)
            self.nodes.append(node)
            self.depends.append(names)
        return Term(self, at)

    def _term(self, operation: str, *parts: Term) -> Term:
        names = NOTHING.union(*(part.names for part in parts))
        return self._stored(Node(operation, tuple(part.at for part in parts)), names)

    def sum(self, left: Term, right: Term) -> Term:
        """left + right."""
        a, b = left.value, right.value
        if a is not None and b is not None:
            return self.number(a + b)
        if a == 0.0:
            return right
        if b == 0.0:
            return left
        return self._term("add", *sorted((left, right), key=lambda term: term.at))

    def product(self, left: Term, right: Term) -> Term:
        """left x right; 0 x anything is 0."""
        a, b = left.value, right.value
        if a is not None and b is not None:
            return self.number(a * b)
        if a == 0.0 or b == 0.0:
            return self.number(0.0)
        if a == 1.0:
            return right
        if b == 1.0:
            return left
        return self._term("multiply", *sorted((left, right), key=lambda term: term.at))

    def quotient(self, left: Term, right: Term) -> Term:
        """left / right."""
        a, b = left.value, right.value
        if b == 1.0 or a == 0.0:
            return left
        if a is not None and b is not None and b != 0.0:
            return self.number(a / b)
        return self._term("divide", left, right)

    def power(self, base: Term, exponent: Term) -> Term:
        """base ** exponent."""
        a, n = base.value, exponent.value
        if n == 0.0:
            return self.number(1.0)
        if n == 1.0:
            return base
        if a is not None and n is not None:
            return self.number(float(NUMBERS.power(a, n)))
        return self._term("power", base, exponent)

    def choose(self, test: Term, body: Term, other: Term) -> Term:
        """body where test holds, else other."""
        if test.value is not None:
            return body if test.value else other
        return body if body.at == other.at else self._term("choose", test, body, other)

    def _joined(self, operation: str, parts: Iterable[Term]) -> Term:
        first, *rest = parts
        for part in rest:
            first = self._term(operation, first, part)
        return first

    def _function(self, name: str) -> Callable[[Term], Term]:
        def apply(argument: Term) -> Term:
            if argument.value is not None:
                return self.number(float(NUMBERS.functions[name](argument.value)))
            return self._term(name, argument)

        return apply

    def slope(self, term: Term, name: str) -> Term:
        """The partial derivative with respect to a symbol; steps and comparisons have none."""
        if name not in term.names:
            return self.number(0.0)
        todo = [term.at]
        while todo:
            at = todo[-1]
            missing = [
                part
                for part in self.nodes[at].parts
                if name in self.depends[part] and (part, name) not in self._slopes
            ]
            if missing:
                todo += missing
                continue
            self._slopes[at, name] = self._slope(at, name)
            todo.pop()
        return self._slopes[term.at, name]

    def _slope(self, at: int, name: str) -> Term:
        node = self.nodes[at]
        parts = [Term(self, part) for part in node.parts]
        slopes = [self._slopes.get((part, name), self.number(0.0)) for part in node.parts]
        match node.operation, parts, slopes:
            case "symbol", _, _:
                return self.number(1.0)
            case "add", _, (da, db):
                return da + db
            case "multiply", (a, b), (da, db):
                return da * b + a * db
            case "divide", (_, b), (da, db):
                return (da - Term(self, at) * db) / b
            case "power", (a, n), (da, dn):
                by_base = n * self.power(a, n - self.number(1.0)) * da
                if dn.value == 0.0:
                    return by_base
                logarithm = Term(self, at) * self.algebra.functions["log"](a) * dn
                above = self.algebra.compare(">", a, self.number(0.0))
                return by_base + self.choose(above, logarithm, self.number(0.0))
            case "choose", (test, _, _), (_, db, dc):
                return self.choose(test, db, dc)
            case operation, (a,), (da,) if operation in FUNCTIONS and da.value != 0.0:
                return self._outer(str(operation), Term(self, at), a) * da
        return self.number(0.0)

    def _outer(self, name: str, term: Term, a: Term) -> Term:
        one, functions = self.number(1.0), self.algebra.functions
        if name in ("floor", "ceil"):
            return self.number(0.0)
        if name == "factorial":
            raise ValueError("a factorial of what changes in time has no derivative here")
        inner: dict[str, Callable[[], Term]] = {
            "exp": lambda: term,
            "log": lambda: one / a,
            "sin": lambda: functions["cos"](a),
            "cos": lambda: -functions["sin"](a),
            "tan": lambda: one + term * term,
            "asin": lambda: self.power(one - a * a, self.number(-0.5)),
            "acos": lambda: -self.power(one - a * a, self.number(-0.5)),
            "atan": lambda: one / (one + a * a),
            "sinh": lambda: functions["cosh"](a),
            "cosh": lambda: functions["sinh"](a),
            "tanh": lambda: one - term * term,
            "asinh": lambda: self.power(a * a + one, self.number(-0.5)),
            "acosh": lambda: self.power(a * a - one, self.number(-0.5)),
            "atanh": lambda: one / (one - a * a),
            "abs": lambda: self.choose(
                self.algebra.compare("<", a, self.number(0.0)), self.number(-1.0), one
            ),
        }
        return inner[name]()

    def needed(self, terms: Iterable[Term]) -> list[int]:
        """Positions of everything that terms are made of, parts before wholes."""
        found: set[int] = set()
        todo = [term.at for term in terms]
        while todo:
            at = todo.pop()
            if at not in found:
                found.add(at)
                todo += self.nodes[at].parts
        return sorted(found)

    def comparisons(self, terms: Iterable[Term]) -> list[Term]:
        """The comparisons that terms hold."""
        signs = ("<", "<=", ">", ">=", "==", "!=")
        return [Term(self, at) for at in self.needed(terms) if self.nodes[at].operation in signs]


def is_whole(value: float | None) -> bool:
    """Whether an exponent is an integer that products can serve."""
    return value is not None and math.isfinite(value) and value == int(value) and abs(value) <= 64
