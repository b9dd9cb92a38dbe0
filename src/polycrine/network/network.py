"""A reaction network: named species, parameters with their origin, and rate laws as text.

A rate is an expression in the names of species, parameters and assigned quantities; names have
parts joined by dots (`blood.TNF`, `monocyte.TNFR1_TNF`, `TNFR1.TNF.kon`). `t` is time in min.
"""

import ast
import hashlib
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polycrine.catalogue.entries import Number

Floats = NDArray[np.float64]
OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


@dataclass(frozen=True)
class Species:
    """A quantity that changes in time.

    contents: molecules of each kind in one unit of it; pmol: parameter that turns one unit into
    pmol of contents; scale: the size below which its error does not matter (times tolerance).
    """

    name: str
    unit: str
    initial: float = 0.0
    contents: tuple[tuple[str, int], ...] = ()
    pmol: str = ""
    scale: float = 1.0


@dataclass(frozen=True)
class Parameter:
    """A value in internal units; number: where it comes from (none: it was derived), path: how
    settings and tables call it."""

    name: str
    value: float
    number: Number | None = None
    path: str = ""


@dataclass(frozen=True)
class Reaction:
    """changes: what one unit of rate does to each species, as expressions in parameters."""

    rate: str
    changes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Network:
    """Everything that a solver needs, and everything that a reader needs to name it."""

    species: tuple[Species, ...]
    parameters: tuple[Parameter, ...]
    assignments: tuple[tuple[str, str], ...]
    reactions: tuple[Reaction, ...]

    def index(self, name: str) -> int:
        """Position of a species in the state vector."""
        return self._positions[name]

    def parameter_index(self, name: str) -> int:
        """Position of a parameter in the parameter vector."""
        return self._parameter_positions[name]

    def has(self, name: str) -> bool:
        """Whether a species of this name exists."""
        return name in self._positions

    @property
    def initial(self) -> Floats:
        """The state before anything settles, in species order."""
        return np.array([species.initial for species in self.species])

    @property
    def values(self) -> Floats:
        """The parameter vector."""
        return np.array([parameter.value for parameter in self.parameters])

    @property
    def scales(self) -> Floats:
        """The size of each species that absolute tolerances refer to; 0: not error controlled."""
        return np.array([species.scale for species in self.species])

    @property
    def digest(self) -> str:
        """Names the equations (not the values): equal networks share compiled code."""
        names = [[part.name for part in parts] for parts in (self.species, self.parameters)]
        laws = [(reaction.rate, reaction.changes) for reaction in self.reactions]
        return hashlib.sha256(repr((names, self.assignments, laws)).encode()).hexdigest()

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {species.name: i for i, species in enumerate(self.species)}

    @cached_property
    def _parameter_positions(self) -> dict[str, int]:
        return {parameter.name: i for i, parameter in enumerate(self.parameters)}


def read_rate(
    text: str,
    known: Mapping[str, Any],
    number: Callable[[float], Any] = float,
    exponential: Callable[[Any], Any] = np.exp,
) -> Any:
    """The value of an expression, its names looked up in `known` (floats, arrays or symbols).

    Raises ValueError for anything but names, numbers, + - * / ** and exp.
    """

    def walk(node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=int() | float() as value):
                return number(value)
            case ast.Name() | ast.Attribute():
                return known[ast.unparse(node)]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -walk(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATIONS:
                return OPERATIONS[type(op)](walk(left), walk(right))
            case ast.Call(func=ast.Name(id="exp"), args=[argument]):
                return exponential(walk(argument))
        raise ValueError(f"a rate law cannot hold '{ast.unparse(node)}'")

    return walk(ast.parse(text, mode="eval").body)


def evaluate_assignment(network: Network, name: str, state: Floats) -> Floats:
    """An assigned quantity from states (..., species), at the network's own parameters."""
    known: dict[str, Any] = {s.name: state[..., i] for i, s in enumerate(network.species)}
    known |= {parameter.name: parameter.value for parameter in network.parameters}
    for assigned, text in network.assignments:
        known[assigned] = read_rate(text, known)
        if assigned == name:
            break
    return np.asarray(known[name], dtype=np.float64)


def identifier(name: str) -> str:
    """A name as one part of an identifier in rate laws."""
    return re.sub(r"\W", "_", name)
