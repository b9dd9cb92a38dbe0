"""Time passes for a batch of members of one network: each from stop to stop, in its own steps."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from polycrine.engine.rosenbrock import DONE, NOT_FINITE, STATUS, advance, evaluate
from polycrine.network.code import Code
from polycrine.network.network import Floats
from polycrine.network.schedule import ADD, Schedule


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
    """Where one member of a batch stands: everything that decides how it goes on.

    state and parameters are its own; step is the controller's proposal; next_stop counts the
    stops of its schedule that lie behind it; counts are accepted and rejected steps.
    """

    time: float
    state: Floats
    parameters: Floats
    step: float
    next_stop: int = 0
    status: int = DONE
    counts: Floats = field(default_factory=lambda: np.zeros(2))

    @property
    def message(self) -> str:
        """Its status as a sentence."""
        return STATUS[self.status]


def run_stops(
    code: Code,
    members: Sequence[Member],
    schedules: Sequence[Schedule],
    scales: Floats,
    tolerances: Tolerances,
    until: float,
    keep: Callable[[int, float, Floats], None],
) -> None:
    """Advance every member through its stops up to and including time `until`.

    keep(member, time, state) is called at each observed stop, before the stop's actions. A member
    that fails keeps its last good time and status; the others go on. One thread or many, each
    member's numbers are the same.
    """
    free = np.ones(scales.size)
    observed: list[list[tuple[float, Floats]]] = [[] for _ in members]

    def work(k: int) -> None:
        member, schedule = members[k], schedules[k]
        while member.status == DONE and member.next_stop < schedule.times.size:
            stop = schedule.times[member.next_stop]
            if stop > until:
                return
            _advance(code, member, float(stop), scales, tolerances, free)
            if member.status != DONE:
                return
            if schedule.observed[member.next_stop]:
                observed[k].append((member.time, member.state.copy()))
            _act(member, schedule, tolerances)

    with ThreadPoolExecutor(max_workers=thread_count()) as pool:
        list(pool.map(work, range(len(members))))
    for k, kept in enumerate(observed):
        for time, state in kept:
            keep(k, time, state)


def settle(
    code: Code, member: Member, held: Floats, scales: Floats, tolerances: Tolerances, end: float
) -> Floats:
    """Let everything but the held species (held = 1) come to rest; returns the rates at the end.

    Time starts again at 0 afterwards. The rates of held species say what would have to be made
    to keep them where they are.
    """
    _advance(code, member, end, scales, tolerances, 1.0 - held)
    rates = np.empty(member.state.size)
    evaluate(code.rates, 0.0, member.state, member.parameters, rates)
    if not np.isfinite(rates).all():
        member.status = NOT_FINITE
    member.time, member.step = 0.0, tolerances.first_step
    member.counts[:] = 0.0
    return rates


def thread_count() -> int:
    """Threads that work side by side: $POLYCRINE_THREADS, else one per core."""
    return int(os.environ.get("POLYCRINE_THREADS") or os.cpu_count() or 1)


def _advance(
    code: Code, member: Member, end: float, scales: Floats, tolerances: Tolerances, free: Floats
) -> None:
    if end <= member.time:
        return
    functions = np.array([code.rates, code.jacobian, code.drift])
    limits = (tolerances.relative, tolerances.absolute * scales, tolerances.max_steps)
    member.status, member.time, member.step = advance(
        functions,
        code.rows,
        code.plan,
        free,
        member.state,
        member.parameters,
        member.time,
        end,
        member.step,
        limits,
        member.counts,
    )


def _act(member: Member, schedule: Schedule, tolerances: Tolerances) -> None:
    first, last = schedule.action_start[member.next_stop : member.next_stop + 2]
    for k in range(first, last):
        if schedule.kind[k] == ADD:
            member.state[schedule.index[k]] += schedule.value[k]
        else:
            member.parameters[schedule.index[k]] = schedule.value[k]
        member.step = tolerances.first_step
    member.next_stop += 1
