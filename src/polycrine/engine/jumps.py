"""How sensitivities go through switches and events.

An instant tau, at which a gap g(t, y, p) closes, moves with p:
dtau/dp = -(g_y S + g_p) / (g_y f + g_t).
Where rates change there from f- to f+:  S+ = S- + (f- - f+) dtau/dp.  Where an event at s puts
h(t, y, p) in place of y:  D = S- + f- ds/dp,  D+ = h_y D + h_p + h_t ds/dp,  S+ = D+ - f+ ds/dp,
with s = tau + delay. A dose at a time of its own has ds/dp = 0: S stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from polycrine.engine.driver import evaluate
from polycrine.engine.happenings import Happenings, Occasion, Pending
from polycrine.network.code import Code
from polycrine.network.network import Floats

BEHIND, TRIES = 1e-9, 8  # of the time: how far before an instant rates are asked, and further


@dataclass
class Jumps(Happenings):
    """The events of one member, through which its sensitivities go.

    variables: how many are no sensitivities; count: how many things are wanted; moved: how the
    instant moves with each of them.
    """

    variables: int = 0
    count: int = 0
    moved: Floats = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.moved = np.zeros(self.count)

    def slopes(self, t: float, y: Floats, p: Floats) -> Floats:
        """Of each gap, delay and change: in time, and along each of what is wanted."""
        changes = sum(1 + len(event.changes) for event in self.events)
        out = np.empty((self.code.conditions + changes, 1 + self.count))
        evaluate(self.code.jumps, t, y, p, out)
        return out

    def rates(self, t: float, y: Floats, p: Floats) -> Floats:
        """dy/dt of what is no sensitivity."""
        out = np.empty(y.size)
        evaluate(self.code.rates, t, y, p, out)
        return out[: self.variables]

    def switch(self, held: Floats, t: float, y: Floats, p: Floats) -> None:
        """Let sensitivities, in place, go through an instant behind which conditions differ."""
        changed = np.flatnonzero(self.conditions(t, y, p) != held)
        self.moved[:] = 0.0
        if not changed.size:
            return
        after = self.rates(t, y, p)
        back, state = BEHIND * max(abs(t), 1.0), y.copy()
        for _ in range(TRIES):
            state[: self.variables] = y[: self.variables] - back * after
            if np.array_equal(self.conditions(t - back, state, p), held):
                break
            back *= 4.0
        gap = self.slopes(t - back, state, p)[changed[0]]
        if gap[0] != 0.0:
            self.moved[:] = -gap[1:] / gap[0]
        before = self.rates(t - back, state, p)
        self._sensitivities(y)[:] += np.outer(self.moved, before - after)

    def _sensitivities(self, y: Floats) -> Floats:
        return y[self.variables :].reshape(self.count, self.variables)

    def _moving(self, moved: Floats, t: float, y: Floats, p: Floats) -> Floats:
        """The state with, in place of sensitivities, its derivatives at an instant that moves."""
        state = y.copy()
        self._sensitivities(state)[:] += np.outer(moved, self.rates(t, y, p))
        return state

    def _look(self, t: float, y: Floats, p: Floats) -> None:
        known = {id(what) for what in self.pending}
        super()._look(t, y, p)
        for what in self.pending:
            if id(what) not in known:
                found = self.slopes(t, self._moving(self.moved, t, y, p), p)
                found[:, 1:] += np.outer(found[:, 0], self.moved)
                what.moved = self.moved + found[self._row(what.event), 1:]
                what.slopes = found

    def _row(self, event: int) -> int:
        """Where the delay of an event stands among the slopes."""
        return self.code.conditions + sum(1 + len(e.changes) for e in self.events[:event])

    def _change(self, event: Occasion, what: Pending, t: float, y: Floats, p: Floats) -> None:
        moved, found = what.moved, what.slopes
        state = self._moving(moved, t, y, p)
        if what.values is None:
            found = self.slopes(t, state, p)
            found[:, 1:] += np.outer(found[:, 0], moved)
        super()._change(event, what, t, y, p)
        derivatives, first = self._sensitivities(state), self._row(what.event) + 1
        for k, (species, _, _) in enumerate(event.changes):
            derivatives[:, species] = found[first + k, 1:]
        y[self.variables :] = state[self.variables :]
        self._sensitivities(y)[:] -= np.outer(moved, self.rates(t, y, p))


def jumps_of(code: Code, events: Sequence[Occasion], seed: int, size: int, count: int) -> Jumps:
    """The events of a member of a network with sensitivities."""
    return Jumps(code, tuple(events), seed, variables=size, count=count)
