"""Many members of one network side by side: virtual patients, copies of a model.

Through the same stops, where what is given may differ from member to member, or each through events
of its own. States are read from dense output, so that what is looked at moves no step.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polycrine.engine.driver import evaluate
from polycrine.engine.foresight import find_switches, find_triggers, foresee_many
from polycrine.engine.happenings import Happenings, held_before, occasions
from polycrine.engine.lanes import advance_lanes
from polycrine.engine.status import DONE, NOT_FINITE, SWITCHED
from polycrine.engine.stirred import Tolerances, limits_of, threads
from polycrine.network.code import Code, compile_lanes
from polycrine.network.network import Floats, Network
from polycrine.network.stops import Stop

Who = NDArray[np.int64]
CHUNK = 512  # members that one thread takes at a time, at most


@dataclass(frozen=True)
class Sampled:
    """Many members over time: states (member, time, species), NaN behind what failed; of each
    member its status, the last good time, and its accepted and rejected steps."""

    times: Floats
    states: Floats
    status: NDArray[np.int64]
    reached: Floats
    counts: Floats


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


def sample_many(
    code: Code,
    network: Network,
    states: Floats,
    parameters: Floats,
    times: Floats,
    tolerances: Tolerances,
    seed: int = 0,
) -> Sampled:
    """What `sample` finds for each of many members, from their states and parameters (member, ...).

    One thread or many, the numbers of each are the same; seed + its position is its own.
    """
    (n, size), last = states.shape, float(times[-1])
    seen = np.full((n, len(times), size), np.nan)
    status, counts = np.zeros(n, dtype=np.int64), np.zeros((n, 2))
    own, reached, ends = states.copy(), np.full(n, float(times[0])), np.full(n, last)
    first = tolerances.first_step * (last - times[0])
    steps, limits = np.full(n, first), limits_of(network.scales, tolerances)
    longest = (last - times[0]) / code.waves if code.waves else np.inf
    lanes, chunk = compile_lanes(network), min(CHUNK, -(-n // threads()))
    alike, timed = occasions(network), bool(network.events or code.conditions)
    before = np.tile(held_before(alike), (n, 1))
    events = [Happenings(code, alike, seed + i, before[i]) for i in range(n if alike else 0)]
    at = np.array([event.trigger for event in alike], dtype=np.int64)
    loose = np.array([not event.persistent for event in alike], dtype=bool)
    triggers, due = np.zeros_like(before), np.full(n, np.inf)
    held, soonest = np.zeros((n, code.conditions)), np.full(n, np.inf)
    free, everything = np.ones(size), np.arange(size)
    watch = code.watched, code.crossings, code.clocks

    def happen(who: Who) -> None:
        if not alike:
            return
        room = np.empty(sum(3 + 2 * len(event.changes) for event in alike))
        find_triggers(code.values, at, who, reached, own, parameters, room, triggers)
        rises = (triggers[who] != 0) & (before[who] == 0)
        stirs = rises.any(axis=1) | (due[who] <= reached[who])
        stirs |= (due[who] < np.inf) & loose.any()
        quiet = who[~stirs]
        before[quiet] = triggers[quiet]
        for i in who[stirs].tolist():
            if events[i].happen(reached[i], own[i], parameters[i]):
                steps[i] = min(steps[i], first)
            due[i] = events[i].due

    def work(begin: int) -> None:
        going = np.arange(begin, min(begin + chunk, n))
        happen(going)
        while going.size:
            if timed:
                foresee_many(*watch, going, reached, own, parameters, held, soonest)
                ends[going] = np.minimum(soonest[going], due[going])
                ends[going] = np.minimum(np.minimum(ends[going], last), reached[going] + longest)
            place = code.rows, code.plan, free, going, own, parameters, reached, ends
            advance_lanes(
                lanes, *place, steps, limits, times, everything, seen, held, status, counts
            )
            switched = going[status[going] == SWITCHED]
            if switched.size:
                place = code.rows, code.plan, free, switched, own, parameters, reached, ends
                find_switches(
                    code.addresses, *place, steps, limits, counts, held, times, seen, status
                )
            going = going[status[going] == DONE]
            happen(going)
            going = going[reached[going] < last]

    with ThreadPoolExecutor(max_workers=threads()) as pool:
        list(pool.map(work, range(0, n, chunk)))
    arrived = (status == DONE) & (reached == last)
    seen[arrived, -1] = own[arrived]
    return Sampled(times, seen, status, reached, counts)


def _advancing(
    code: Code, network: Network, free: Floats, tolerances: Tolerances
) -> Callable[..., None]:
    """What advances those members that are listed first in its arguments."""
    lanes = compile_lanes(network)
    limits = limits_of(network.scales, tolerances)

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
