"""Forward sensitivities as variables of their own: S = dy/dp with S' = J S + df/dp.

They are written as terms with the rates (so their own Jacobian is exact) and are integrated, and
controlled, with them. What happens to them at doses, events and switches: `engine/jumps.py`.
"""

from dataclasses import replace

import numpy as np

from polycrine.errors import InputError, Problem, nearest
from polycrine.network.graph import Graph, Term
from polycrine.network.network import Network, Species


def with_sensitivities(network: Network, wanted: tuple[str, ...]) -> Network:
    """The network with the derivatives of each species by each parameter (or start of a species).

    Raises InputError with every name that it does not have.
    """
    known = {parameter.name: abs(float(parameter.value)) for parameter in network.parameters}
    known |= {species.name: abs(float(species.initial)) for species in network.species}
    problems = [
        Problem(name, f"'{name}' is no constant and no variable.", nearest(name, known))
        for name in wanted
        if name not in known
    ]
    if problems:
        raise InputError(problems)
    species = list(network.species)
    for name in wanted:
        per = known[name] or 1.0
        species += [
            Species(f"{own.name}:{name}", "", float(own.name == name), scale=own.scale / per)
            for own in network.species
        ]
    return replace(network, species=tuple(species), wanted=wanted)


def base_size(network: Network) -> int:
    """How many species are none of the sensitivities."""
    return len(network.species) // (1 + len(network.wanted))


def along(graph: Graph, network: Network, term: Term, wanted: int) -> Term:
    """How a term changes with one of what is wanted: its slopes times the sensitivities."""
    size = base_size(network)
    first = size * (1 + wanted)
    total = graph.number(0.0)
    for j in range(size):
        if network.species[j].name in term.names:
            slope = graph.slope(term, network.species[j].name)
            total += slope * graph.symbol(network.species[first + j].name)
    name = network.wanted[wanted]
    if name in term.names and name not in {species.name for species in network.species}:
        total += graph.slope(term, name)
    return total


def in_time(graph: Graph, network: Network, term: Term, rates: list[Term]) -> Term:
    """How a term changes in time, with the species."""
    total = graph.slope(term, "t")
    for j in range(base_size(network)):
        if network.species[j].name in term.names:
            total += graph.slope(term, network.species[j].name) * rates[j]
    return total


def split(network: Network, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """States (..., species), and their sensitivities (..., wanted, species)."""
    size = base_size(network)
    shape = (*states.shape[:-1], len(network.wanted), size)
    return states[..., :size], states[..., size:].reshape(shape)
