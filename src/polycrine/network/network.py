"""A reaction network: named species, parameters with their origin, and rate laws as text.

A rate is an expression in the names of species, parameters and assigned quantities; names have
parts joined by dots (`blood.TNF`, `monocyte.TNFR1_TNF`, `TNFR1.TNF.kon`). `t` is time in min.
"""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polycrine.network.expressions import read

if TYPE_CHECKING:  # a network that was read from SBML needs no catalogue
    from polycrine.catalogue.entries import Number

Floats = NDArray[np.float64]
Value = Any  # a number; of many members of one network an array, one for each


@dataclass(frozen=True)
class Species:
    """A quantity that changes in time.

    contents: molecules of each kind in one unit of it; pmol: parameter that turns one unit into
    pmol of contents; scale: the size below which its error does not matter (times tolerance).
    """

    name: str
    unit: str
    initial: Value = 0.0
    contents: tuple[tuple[str, int], ...] = ()
    pmol: str = ""
    scale: float = 1.0


@dataclass(frozen=True)
class Parameter:
    """A value in internal units; number: where it comes from (none: it was derived), path: how
    settings and tables call it."""

    name: str
    value: Value
    number: "Number | None" = None
    path: str = ""


@dataclass(frozen=True)
class Reaction:
    """changes: what one unit of rate does to each species, as expressions in parameters."""

    rate: str
    changes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Event:
    """What happens when a condition becomes true.

    delay: from then until it happens; priority: the highest of those that are due happens first;
    changes: species, its new value, and a factor of the moment at which it happens, before any of
    its changes; persistent: it happens even if the condition has become false meanwhile; before:
    whether the condition counts as true before the start; early: whether values are those of the
    moment when the condition became true.
    """

    name: str
    trigger: str
    changes: tuple[tuple[str, str, str], ...]
    delay: str = "0"
    priority: str = "0"
    persistent: bool = True
    before: bool = True
    early: bool = True


@dataclass(frozen=True)
class Network:
    """Everything that a solver needs, and everything that a reader needs to name it.

    wanted: parameters and species whose sensitivities are the last of the species: for each of
    them the derivative of every other species (`network/sensitivity.py`).
    """

    species: tuple[Species, ...]
    parameters: tuple[Parameter, ...]
    assignments: tuple[tuple[str, str], ...]
    reactions: tuple[Reaction, ...]
    events: tuple[Event, ...] = ()
    wanted: tuple[str, ...] = ()

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
        """The state before anything settles, in species order (of a batch: member, species)."""
        return _side_by_side([species.initial for species in self.species])

    @property
    def values(self) -> Floats:
        """The parameter vector (of a batch: member, parameter)."""
        return _side_by_side([parameter.value for parameter in self.parameters])

    @property
    def scales(self) -> Floats:
        """The size of each species that absolute tolerances refer to; 0: not error controlled."""
        return np.array([species.scale for species in self.species])

    @property
    def digest(self) -> str:
        """Names the equations (not the values): equal networks share compiled code."""
        names = [[part.name for part in parts] for parts in (self.species, self.parameters)]
        laws = [(reaction.rate, reaction.changes) for reaction in self.reactions]
        further = [part for part in (self.events, self.wanted) if part]
        known = (names, self.assignments, laws, *further)
        return hashlib.sha256(repr(known).encode()).hexdigest()

    @property
    def parameter_names(self) -> Collection[str]:
        """The names of all parameters."""
        return self._parameter_positions.keys()

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {species.name: i for i, species in enumerate(self.species)}

    @cached_property
    def _parameter_positions(self) -> dict[str, int]:
        return {parameter.name: i for i, parameter in enumerate(self.parameters)}


def evaluate_assignment(network: Network, name: str, state: Floats) -> Floats:
    """An assigned quantity from states (..., species), at the network's own parameters.

    Of a batch, states are (member, time, species).
    """
    known: dict[str, Any] = {s.name: state[..., i] for i, s in enumerate(network.species)}
    for parameter in network.parameters:
        own = isinstance(parameter.value, np.ndarray)
        known[parameter.name] = parameter.value[:, None] if own else parameter.value
    for assigned, text in network.assignments:
        known[assigned] = read(text, known)
        if assigned == name:
            break
    return np.asarray(known[name], dtype=np.float64)


def _side_by_side(values: list[Value]) -> Floats:
    if any(isinstance(value, np.ndarray) for value in values):
        values = list(np.broadcast_arrays(*values))
    return np.moveaxis(np.array(values, dtype=np.float64), 0, -1)


def identifier(name: str) -> str:
    """A name as one part of an identifier in rate laws."""
    return re.sub(r"\W", "_", name)
