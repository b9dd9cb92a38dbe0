"""Time passes for a batch of members of one network: each from stop to stop, in its own steps."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from polycrine.engine import happenings
from polycrine.engine.driver import advance, evaluate
from polycrine.engine.jumps import Jumps, jumps_of
from polycrine.engine.status import DONE, NOT_FINITE, STATUS, SWITCHED
from polycrine.network.code import Code, compile_lanes
from polycrine.network.network import Floats, Network
from polycrine.network.sensitivity import base_size
from polycrine.network.stops import Stop

CHUNK = 512  # members that one thread takes at a time, at most


@dataclass(frozen=True)
class Tolerances:
    """rtol and atol per step (atol of each species' scale), the first step after an event (min),
    and how many steps may lie between two stops."""

    relative: float = 1e-7
    absolute: float = 1e-9
    first_step: float = 2.0**-10
    max_steps: int = 100_000


@dataclass
class Member:
    """Where one member of a batch stands: everything that decides how it goes on, and its past.

    state and parameters are its own; step is the controller's proposal; next_stop counts the
    stops that lie behind it; counts are accepted and rejected steps; times and states are what
    was observed.
    """

    time: float
    state: Floats
    parameters: Floats
    step: float
    next_stop: int = 0
    status: int = DONE
    counts: Floats = field(default_factory=lambda: np.zeros(2))
    times: list[float] = field(default_factory=list)
    states: list[Floats] = field(default_factory=list)

    def copy(self) -> "Member":
        """Another one in the same state, with the same past."""
        own = (self.state.copy(), self.parameters.copy(), self.step, self.next_stop, self.status)
        return Member(self.time, *own, self.counts.copy(), self.times, self.states)

    @property
    def message(self) -> str:
        """Its status as a sentence."""
        return STATUS[self.status]


def run_stops(
    code: Code,
    members: Sequence[Member],
    schedules: Sequence[Sequence[Stop]],
    scales: Floats,
    tolerances: Tolerances,
    until: float,
) -> None:
    """Advance every member through its stops up to and including time `until`.

    A member that fails keeps its last good time and status; the others go on. One thread or
    many ($POLYCRINE_THREADS, else one per core), each member's numbers are the same.
    """
    free = np.ones(scales.size)

    def work(member: Member, stops: Sequence[Stop]) -> None:
        while member.next_stop < len(stops) and stops[member.next_stop].time <= until:
            stop = stops[member.next_stop]
            advance_member(code, member, stop.time, scales, tolerances, free)
            if member.status != DONE:
                return
            if stop.observed:
                member.times.append(stop.time)
                member.states.append(member.state.copy())
            for action in stop.actions:
                if action.adds:
                    member.state[action.index] += action.value
                else:
                    member.parameters[action.index] = action.value
                member.step = tolerances.first_step
            member.next_stop += 1

    with ThreadPoolExecutor(max_workers=threads()) as pool:
        list(pool.map(work, members, schedules))


def settle(
    code: Code, member: Member, held: Floats, scales: Floats, tolerances: Tolerances, end: float
) -> Floats:
    """Let everything but the held species (held = 1) come to rest; returns the rates at the end.

    Time starts again at 0 afterwards. The rates of held species say what would have to be made
    to keep them where they are.
    """
    advance_member(code, member, end, scales, tolerances, 1.0 - held)
    rates = np.empty(member.state.size)
    evaluate(code.rates, 0.0, member.state, member.parameters, rates)
    if not np.isfinite(rates).all():
        member.status = NOT_FINITE
    member.time, member.step = 0.0, tolerances.first_step
    member.counts[:] = 0.0
    return rates


def advance_member(
    code: Code,
    member: Member,
    end: float,
    scales: Floats,
    tolerances: Tolerances,
    free: Floats | None = None,
) -> None:
    """Advance one member to `end`; where `free` is 0 its species are held."""
    free = np.ones(scales.size) if free is None else free
    if end <= member.time:
        return
    before = (member.state, member.parameters, member.time, end, member.step)
    limits = _limits(scales, tolerances)
    found = advance(code, free, *before, limits, member.counts)
    member.status, member.time, member.step = found


def _limits(scales: Floats, tolerances: Tolerances) -> tuple[float, Floats, int]:
    return tolerances.relative, tolerances.absolute * scales, tolerances.max_steps


def sample(
    code: Code,
    network: Network,
    member: Member,
    times: Floats,
    tolerances: Tolerances,
    seed: int = 0,
) -> Floats:
    """The states of a member at `times`, which rise and do not begin before it: (time, species).

    A member that fails keeps its last good time and its status; what lies behind it is NaN. seed:
    of the chance by which events of equal priority take turns.
    """
    limits = _limits(network.scales, tolerances)
    seen = np.full((len(times), member.state.size), np.nan)
    alike, wanted = happenings.occasions(network), len(network.wanted)
    events = happenings.Happenings(code, alike, seed)
    if wanted:
        events = jumps_of(code, alike, seed, base_size(network), wanted)
    longest = (times[-1] - times[0]) / code.waves if code.waves else np.inf
    free = np.ones(member.state.size)
    place = code, free, member.state, member.parameters
    events.happen(member.time, member.state, member.parameters)
    while member.time < times[-1]:
        held, stop = events.look_ahead(member.time, member.state, member.parameters)
        stop = min(float(times[-1]), stop, member.time + longest)
        before = member.time, stop, member.step
        found = advance(*place, *before, limits, member.counts, held, times, seen)
        member.status, member.time, member.step = found
        if member.status not in (DONE, SWITCHED):
            return seen
        member.status = DONE
        if isinstance(events, Jumps):
            events.switch(held, member.time, member.state, member.parameters)
        if events.happen(member.time, member.state, member.parameters):
            member.step = min(member.step, tolerances.first_step * (times[-1] - times[0]))
    seen[times == member.time] = member.state
    return seen


@dataclass(frozen=True)
class Sampled:
    """Many members over time: states (member, time, species), NaN behind what failed; of each
    member its status, the last good time, and its accepted and rejected steps."""

    times: Floats
    states: Floats
    status: NDArray[np.int64]
    reached: Floats
    counts: Floats


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
    from polycrine.engine.foresight import find_switches, find_triggers, foresee_many
    from polycrine.engine.lanes import advance_lanes

    (n, size), last = states.shape, float(times[-1])
    seen = np.full((n, len(times), size), np.nan)
    status, counts = np.zeros(n, dtype=np.int64), np.zeros((n, 2))
    own, reached, ends = states.copy(), np.full(n, float(times[0])), np.full(n, last)
    first = tolerances.first_step * (last - times[0])
    steps, limits = np.full(n, first), _limits(network.scales, tolerances)
    longest = (last - times[0]) / code.waves if code.waves else np.inf
    lanes, chunk = compile_lanes(network), min(CHUNK, -(-n // threads()))
    alike, timed = happenings.occasions(network), bool(network.events or code.conditions)
    before = np.tile(happenings.held_before(alike), (n, 1))
    events = [
        happenings.Happenings(code, alike, seed + i, before[i]) for i in range(n if alike else 0)
    ]
    at = np.array([event.trigger for event in alike], dtype=np.int64)
    loose = np.array([not event.persistent for event in alike], dtype=bool)
    triggers, due = np.zeros_like(before), np.full(n, np.inf)
    held, soonest = np.zeros((n, code.conditions)), np.full(n, np.inf)
    share, free, everything = (code.rows, code.plan), np.ones(size), np.arange(size)
    watch = code.watched, code.crossings, code.clocks

    def happen(who: NDArray[np.int64]) -> None:
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
            place = share[0], share[1], free, going, own, parameters, reached, ends
            advance_lanes(
                lanes, *place, steps, limits, times, everything, seen, held, status, counts
            )
            switched = going[status[going] == SWITCHED]
            if switched.size:
                place = share[0], share[1], free, switched, own, parameters, reached, ends
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


def threads() -> int:
    """How many threads to use: $POLYCRINE_THREADS, else one per core."""
    return int(os.environ.get("POLYCRINE_THREADS") or os.cpu_count() or 1)
