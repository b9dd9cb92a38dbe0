"""Expressions in rate laws: names, numbers, + - * / **, functions, and choices by a condition.

One grammar (Python's), read in one of several algebras: floats and arrays (`NUMBERS`), terms that
can be differentiated and compiled (`graph.Graph`), text of SBML (`sbml_writer.TEXTS`).
`a if condition else b` chooses; conditions are comparisons joined by `and`, `or` and `not`, or the
names `true` and `false`.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any

import numpy as np

OPERATIONS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
COMPARISONS: dict[type[ast.AST], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
FUNCTIONS = (
    *("exp", "log", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"),
    *("asinh", "acosh", "atanh", "floor", "ceil", "abs", "factorial"),
)


@dataclass(frozen=True)
class Algebra:
    """What numbers, operations and conditions mean; functions by the names in `FUNCTIONS`."""

    number: Callable[[float], Any]
    functions: Mapping[str, Callable[[Any], Any]]
    power: Callable[[Any, Any], Any]
    compare: Callable[[str, Any, Any], Any]
    choose: Callable[[Any, Any, Any], Any]
    all_of: Callable[..., Any]
    any_of: Callable[..., Any]
    none_of: Callable[[Any], Any]
    truth: Callable[[bool], Any]


def read(text: str, known: Mapping[str, Any], algebra: "Algebra | None" = None) -> Any:
    """The value of an expression, its names looked up in `known`.

    Numbers follow IEEE 754: what cannot be divided is infinite or no number. Raises ValueError for
    what is no expression, KeyError for an unknown name.
    """
    meaning = algebra or NUMBERS

    def walk(node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=bool() as value):
                return meaning.truth(value)
            case ast.Constant(value=int() | float() as value):
                return meaning.number(value)
            case ast.Name(id="true" | "false" as word):
                return meaning.truth(word == "true")
            case ast.Name() | ast.Attribute():
                value = known[ast.unparse(node)]
                return meaning.number(value) if isinstance(value, float | int) else value
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -walk(operand)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return meaning.none_of(walk(operand))
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return meaning.power(walk(left), walk(right))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATIONS:
                return OPERATIONS[type(op)](walk(left), walk(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return meaning.compare(COMPARISONS[type(op)], walk(left), walk(right))
            case ast.BoolOp(op=op, values=values):
                joined = meaning.all_of if isinstance(op, ast.And) else meaning.any_of
                return joined(*map(walk, values))
            case ast.IfExp(test=test, body=body, orelse=other):
                return meaning.choose(walk(test), walk(body), walk(other))
            case ast.Call(func=ast.Name(id=name), args=[argument]) if name in FUNCTIONS:
                return meaning.functions[name](walk(argument))
        raise ValueError(f"a rate law cannot hold '{ast.unparse(node)}'")

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return walk(parsed(text))


@lru_cache(maxsize=4096)
def parsed(text: str) -> ast.expr:
    """The syntax tree of an expression; raises ValueError where it is none."""
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"'{text}' is no expression") from error


def names_in(text: str) -> set[str]:
    """The names that an expression looks up."""
    found = set()

    def walk(node: ast.AST) -> None:
        if isinstance(node, (ast.Name, ast.Attribute)):
            found.add(ast.unparse(node))
        elif isinstance(node, ast.Call):
            for argument in node.args:
                walk(argument)
        else:
            for child in ast.iter_child_nodes(node):
                walk(child)

    walk(parsed(text))
    return found - {"true", "false"}


def _compare(sign: str, left: Any, right: Any) -> Any:
    signs = {
        **{"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge},
        **{"==": operator.eq, "!=": operator.ne},
    }
    return signs[sign](left, right) * 1.0


def _power(base: Any, exponent: Any) -> Any:
    """A power; 0 where a base that should be zero lies below it and the exponent is no integer."""
    whole = np.equal(np.floor(exponent), exponent)
    below = np.less(base, 0.0) & ~whole
    return np.power(np.where(below, 0.0, np.asarray(base, dtype=float)), exponent)[()]


def _factorial(value: Any) -> Any:
    return np.vectorize(lambda v: math.gamma(v + 1.0))(value)


_NAMED: dict[str, Callable[[Any], Any]] = {
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "factorial": _factorial,
}
_NAMED |= {"asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh}
NUMBERS = Algebra(
    number=np.float64,
    functions={name: _NAMED.get(name) or getattr(np, name) for name in FUNCTIONS},
    power=_power,
    compare=_compare,
    choose=lambda test, body, other: np.where(test, body, other)[()],
    all_of=lambda *parts: reduce(np.logical_and, parts),
    any_of=lambda *parts: reduce(np.logical_or, parts),
    none_of=np.logical_not,
    truth=bool,
)


def renamed(text: str, names: Mapping[str, str]) -> str:
    """An expression with the names of one network in place of those of another."""
    return re.sub(r"[A-Za-z_]\w*", lambda match: names.get(match[0], match[0]), text)
