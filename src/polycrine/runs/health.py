"""Health: cells at rest in fluids that stay as they are, before anything is given.

Healthy fluids are held where they are while cells come to rest; what would have to be made to keep
each molecule there is then made by the rest of the body, at a constant rate.
"""

import numpy as np
from numpy.typing import NDArray

from polycrine.engine.batch import settle_many
from polycrine.engine.status import DONE
from polycrine.engine.stirred import Member, Tolerances, settle
from polycrine.errors import InputError, NumericsError, Problem
from polycrine.model.model import Model
from polycrine.network.builder import LEDGER
from polycrine.network.code import Code
from polycrine.network.network import Floats, Network, Value, identifier
from polycrine.network.places import REST, held_species
from polycrine.network.schedule import knocked_out
from polycrine.units import quantity


def tolerances_of(model: Model) -> Tolerances:
    """The tolerances that a declaration asks for."""
    return Tolerances(model.run.relative_tolerance, model.run.absolute_tolerance)


def settled(model: Model, network: Network, code: Code) -> Member:
    """A member at rest in healthy fluids, with what the rest of the body makes to keep them so.

    Raises InputError when cells at rest make more of a molecule than is cleared.
    """
    tolerances = tolerances_of(model)
    member = Member(0.0, network.initial, network.values, tolerances.first_step)
    held = _hold(model, network, member.state, member.parameters)
    duration = quantity(model.run.settle, "duration")
    rates = settle(code, member, held, network.scales, tolerances, duration)
    if member.status != DONE:
        raise NumericsError(f"while the cells settled: {member.message}")
    made = _let_rest_of_body_make(model, network, member.state, member.parameters, rates)
    problems = []
    for molecule in [molecule for molecule, amount in made.items() if amount < 0]:
        rule = f"cells at rest make {-made[molecule]:.3g} pmol/min more than is cleared in health."
        instead = "Lower what they make at rest, or mend the level or the clearance."
        problems.append(Problem(f"{molecule}.healthy_plasma", rule, instead))
    if problems:
        raise InputError(problems)
    return member


def settled_many(
    model: Model, network: Network, n: int, code: Code, tolerances: Tolerances
) -> tuple[Floats, Floats, NDArray[np.int64], NDArray[np.bool_]]:
    """The n members of a batch at rest: states and parameters (member, ...), the status of each,
    and whether its cells at rest make more of a molecule than is cleared."""
    states = np.broadcast_to(network.initial, (n, len(network.species))).copy()
    parameters = np.broadcast_to(network.values, (n, len(network.parameters))).copy()
    held = _hold(model, network, states, parameters)
    duration = quantity(model.run.settle, "duration")
    rates, status = settle_many(code, network, states, parameters, held, duration, tolerances)
    made = _let_rest_of_body_make(model, network, states, parameters, rates)
    impossible = np.zeros(n, dtype=bool)
    for amount in made.values():
        impossible |= amount < 0
    return states, parameters, status, impossible


def _hold(model: Model, network: Network, state: Floats, parameters: Floats) -> Floats:
    """Which species are held (1) while cells settle; what is knocked out is taken away."""
    held, missing = np.zeros(state.shape[-1]), knocked_out(model)
    for name, molecule in held_species(model, network).items():
        held[network.index(name)] = 1.0
        if molecule in missing:
            state[..., network.index(name)] = 0.0
    for molecule in missing:
        parameters[..., network.parameter_index(f"{identifier(molecule)}.gene")] = 0.0
    return held


def _let_rest_of_body_make(
    model: Model, network: Network, state: Floats, parameters: Floats, rates: Floats
) -> dict[str, Value]:
    """Set what the rest of the body makes (pmol/min), and open the books; returns what it makes."""
    made: dict[str, Value] = {}
    if model.plasma is not None:
        plasma = identifier(model.plasma)
        volume = parameters[..., network.parameter_index(f"{plasma}.volume")]
        for molecule in sorted(set(model.molecules) - set(knocked_out(model))):
            name = identifier(molecule)
            made[molecule] = -rates[..., network.index(f"{plasma}.{name}")] * volume
            parameters[..., network.parameter_index(f"{name}.{REST}")] = made[molecule]
    accounts = [k for k, s in enumerate(network.species) if s.name.startswith(f"{LEDGER}.")]
    state[..., accounts] = 0.0
    return made
