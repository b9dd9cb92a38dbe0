"""Many members of one network through the same stops, side by side: virtual patients.

What is given at a stop may differ from member to member. States are read from dense output at
times of their own, so that what is looked at moves no step.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from polycrine.engine.driver import evaluate
from polycrine.engine.lanes import advance_lanes
from polycrine.engine.status import DONE, NOT_FINITE
from polycrine.engine.stirred import Sampled, Tolerances, threads
from polycrine.network.code import Code, compile_lanes
from polycrine.network.network import Floats, Network
from polycrine.network.stops import Stop

Who = NDArray[np.int64]


def settle_many(
    code: Code,
    network: Network,
    states: Floats,
    parameters: Floats,
    held: Floats,
    end: float,
    tolerances: Tolerances,
) -> tuple[Floats, NDArray[np.int64]]:
    """Let all members (member, ...) come to rest, in place, but for the held species (held = 1).

    Returns the rates at the end, which say what would have to be made to keep those where they
    are, and the status of each member.
    """
    n, size = states.shape
    status, counts = np.zeros(n, dtype=np.int64), np.zeros((n, 2))
    reached, steps = np.zeros(n), np.full(n, tolerances.first_step)
    nothing = np.empty(0), np.empty(0, dtype=np.int64), np.empty((n, 0, 0)), np.empty((n, 0))
    advance = _advancing(code, network, 1.0 - held, tolerances)
    rates = np.empty((n, size))

    def work(who: Who) -> None:
        places = states, parameters, reached, np.full(n, end), steps
        advance(who, *places, *nothing, status, counts)
        for i in who.tolist():
            evaluate(code.rates, 0.0, states[i], parameters[i], rates[i])

    _in_threads(work, n)
    status[(status == DONE) & ~np.isfinite(rates).all(axis=1)] = NOT_FINITE
    return rates, status


def run_many(
    code: Code,
    network: Network,
    states: Floats,
    parameters: Floats,
    stops: Sequence[Stop],
    times: Floats,
    kept: NDArray[np.int64],
    tolerances: Tolerances,
) -> Sampled:
    """Take all members (member, ...) from time 0 through the stops to the last of `times`.

    What is seen at a stop is what was before its actions. Of the species only those that are
    `kept` are in the states that come back. A member that fails goes no further; the others do.
    """
    n, size = states.shape
    own, given = states.copy(), parameters.copy()
    seen = np.full((n, len(times), kept.size), np.nan)
    status, counts = np.zeros(n, dtype=np.int64), np.zeros((n, 2))
    reached, steps = np.zeros(n), np.full(n, tolerances.first_step)
    advance = _advancing(code, network, np.ones(size), tolerances)
    behind = [stop for stop in stops if stop.time < times[-1] and stop.actions]
    halts = [*behind, Stop(float(times[-1]), True)]

    def work(who: Who) -> None:
        before: list[tuple[int, Who, Floats]] = []
        ends = np.zeros(n)
        for stop in halts:
            ends[who] = stop.time
            places = own, given, reached, ends, steps
            advance(who, *places, times, kept, seen, np.empty((n, 0)), status, counts)
            who = who[status[who] == DONE]
            row = int(np.searchsorted(times, stop.time))
            if times[row] == stop.time:
                before.append((row, who, own[np.ix_(who, kept)]))
            for action in stop.actions:
                value = np.broadcast_to(action.value, n)[who]
                if action.adds:
                    own[who, action.index] += value
                else:
                    given[who, action.index] = value
                steps[who] = tolerances.first_step
        for row, there, found in before:
            seen[there, row] = found

    _in_threads(work, n)
    return Sampled(times, seen, status, reached, counts)


def _advancing(
    code: Code, network: Network, free: Floats, tolerances: Tolerances
) -> Callable[..., None]:
    """What advances those members that are listed first in its arguments."""
    lanes = compile_lanes(network)
    limits = tolerances.relative, tolerances.absolute * network.scales, tolerances.max_steps

    def advance(
        who: Who, states: Floats, parameters: Floats, reached: Floats, ends: Floats,
        steps: Floats, *seeing: Floats,
    ) -> None:  # fmt: skip
        if who.size:
            times, kept, seen, held, status, counts = seeing
            place = lanes, code.rows, code.plan, free, who, states, parameters, reached, ends
            advance_lanes(*place, steps, limits, times, kept, seen, held, status, counts)

    return advance


def _in_threads(work: Callable[[Who], None], n: int) -> None:
    with ThreadPoolExecutor(max_workers=threads()) as pool:
        list(pool.map(work, np.array_split(np.arange(n), min(threads(), max(n, 1)))))
