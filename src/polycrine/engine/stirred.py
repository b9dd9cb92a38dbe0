"""Time passes for a batch of members of one network: each from stop to stop, in its own steps."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from polycrine.engine import happenings
from polycrine.engine.driver import advance, evaluate
from polycrine.engine.jumps import Jumps, jumps_of
from polycrine.engine.status import DONE, NOT_FINITE, STATUS, SWITCHED
from polycrine.network.code import Code
from polycrine.network.network import Floats, Network
from polycrine.network.sensitivity import base_size
from polycrine.network.stops import Stop


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
    limits = limits_of(scales, tolerances)
    found = advance(code, free, *before, limits, member.counts)
    member.status, member.time, member.step = found


def limits_of(scales: Floats, tolerances: Tolerances) -> tuple[float, Floats, int]:
    """What the integrator calls limits: rtol, atol per species, steps allowed."""
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
    limits = limits_of(network.scales, tolerances)
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


def threads() -> int:
    """How many threads to use: $POLYCRINE_THREADS, else one per core."""
    return int(os.environ.get("POLYCRINE_THREADS") or os.cpu_count() or 1)
