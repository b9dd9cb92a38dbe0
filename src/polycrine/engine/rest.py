"""Steady states: time passes until Newton's method finds a root near by, at its conserved sums.

f(y) = 0 with G y = G y0 in place of as many of its rows. A root counts only near the trajectory, so
that it is the state which the start comes to; where the largest real part of the eigenvalues of
what is left of the Jacobian is above zero, it is not stable.
"""

from dataclasses import dataclass

import numpy as np

from polycrine.engine.driver import evaluate
from polycrine.engine.status import DONE
from polycrine.engine.stirred import Member, Tolerances, advance_member
from polycrine.errors import NumericsError
from polycrine.network.code import Code
from polycrine.network.network import Floats

NEAR = 0.05  # of each variable's size: how far from the trajectory a root may lie
NEUTRAL = 1e-10  # of the largest eigenvalue: as good as none
TRIFLE = 1e-6  # of its size: what may change in all of the time behind it
SAME = 1e-9  # of its size: how far two roots may differ that are one
TRIES, GROWTH, NEWTON = 60, 2.0, 25


@dataclass(frozen=True)
class Rest:
    """A steady state: residual, the largest rate in units of size and of the slowest time seen;
    growth, the largest real part of the eigenvalues (below zero: stable)."""

    state: Floats
    residual: float
    growth: float


def come_to_rest(
    code: Code,
    state: Floats,
    parameters: Floats,
    sums: Floats,
    scales: Floats,
    tolerances: Tolerances,
    first: float,
) -> Rest:
    """The steady state that a start comes to; sums: (sum, species), what is conserved.

    first: the time after which a root is tried first; it is doubled until one is found. Raises
    NumericsError where none is, as when the network oscillates.
    """
    member = Member(0.0, state.copy(), parameters, first * 2.0**-20)
    totals, end = sums @ state, first
    before = np.full(state.size, np.inf)
    for _ in range(TRIES):
        advance_member(code, member, end, scales, tolerances)
        if member.status != DONE:
            raise NumericsError(f"on the way to rest, at {member.time:g}: {member.message}")
        found = _newton(code, member.state, parameters, sums, totals, scales, end)
        if found is not None and _agree(found, before, scales):
            return _judged(code, found, parameters, sums, scales, first)
        before = before if found is None else found
        end *= GROWTH
    raise NumericsError(f"it does not come to rest until {member.time:g}: it may oscillate or grow")


def _agree(one: Floats, other: Floats, scales: Floats) -> bool:
    """Whether a later root is the same; where nothing empties a pool, roots go with its start."""
    return bool((np.abs(one - other) <= SAME * _size(one, scales)).all())


def _size(state: Floats, scales: Floats) -> Floats:
    return np.asarray(np.abs(state) + np.where(scales > 0, scales, 1.0) * 1e-3)


def _newton(
    code: Code, start: Floats, p: Floats, sums: Floats, totals: Floats, scales: Floats, time: float
) -> Floats | None:
    """A root near a state, where no more than a trifle would change in a time, or None."""
    state, size = start.copy(), _size(start, scales)
    replaced = _dependent(sums)
    rates = np.empty(state.size)
    for _ in range(NEWTON):
        evaluate(code.rates, 0.0, state, p, rates)
        matrix, value = _jacobian(code, state, p), rates.copy()
        matrix[replaced], value[replaced] = sums, sums @ state - totals
        alone = ~matrix.any(axis=1)  # what nothing changes stays as it is
        matrix[alone, alone] = 1.0
        step = size * _solved(matrix * size, value)
        state -= step
        if not np.isfinite(state).all() or (np.abs(state - start) > NEAR * size).any():
            return None
        if (np.abs(step) <= 1e-12 * (np.abs(state) + 1e-6 * size)).all():
            evaluate(code.rates, 0.0, state, p, rates)
            return state if (np.abs(rates) * time <= TRIFLE * size).all() else None
    return None


def _solved(matrix: Floats, value: Floats) -> Floats:
    """The solution, or the shortest one where there are several: a pool that nothing empties."""
    try:
        found = np.linalg.solve(matrix, value)
        if np.isfinite(found).all():
            return np.asarray(found, dtype=np.float64)
    except np.linalg.LinAlgError:
        pass
    rows = np.abs(matrix).max(axis=1, initial=1e-300)
    shortest = np.linalg.lstsq(matrix / rows[:, None], value / rows, rcond=1e-13)[0]
    return np.asarray(shortest, dtype=np.float64)


def _jacobian(code: Code, state: Floats, p: Floats) -> Floats:
    entries = np.empty(code.rows.size)
    evaluate(code.jacobian, 0.0, state, p, entries)
    matrix = np.zeros((state.size, state.size))
    matrix[code.rows, code.columns] = entries
    return matrix


def _dependent(sums: Floats) -> list[int]:
    """A species of each sum that is in no other one's choice: the row that the sum replaces."""
    rest, chosen = sums.copy(), []
    for k in range(len(rest)):
        column = int(np.argmax(np.abs(rest[k])))
        chosen.append(column)
        for j in range(k + 1, len(rest)):
            rest[j] -= rest[j, column] / rest[k, column] * rest[k]
    return chosen


def _judged(
    code: Code, state: Floats, p: Floats, sums: Floats, scales: Floats, first: float
) -> Rest:
    rates, matrix = np.empty(state.size), _jacobian(code, state, p)
    evaluate(code.rates, 0.0, state, p, rates)
    size = _size(state, scales)
    free = np.setdiff1d(np.flatnonzero(matrix.any(axis=1)), _dependent(sums))
    inner = matrix[free][:, free]
    if len(sums):  # species that sums replace follow the others
        replaced = _dependent(sums)
        follow = -np.linalg.solve(sums[:, replaced], sums[:, free])
        inner = inner + matrix[free][:, replaced] @ follow
    values = np.linalg.eigvals(inner) if free.size else np.zeros(1)
    growth = values.real.max()
    if growth <= NEUTRAL * np.abs(values).max():
        growth = min(growth, 0.0)
    return Rest(state, float((np.abs(rates) * first / size).max()), float(growth))
