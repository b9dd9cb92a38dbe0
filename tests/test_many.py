"""Many members of one network side by side."""

import networks
import numpy as np
import pytest

from polycrine.engine.batch import sample_many
from polycrine.engine.status import DONE, STEP_TOO_SMALL, TOO_MANY_STEPS
from polycrine.engine.stirred import Member, Tolerances, sample
from polycrine.network.code import compile_network
from polycrine.network.network import Event, Network, Parameter, Reaction, Species

TOLERANCES = Tolerances(1e-6, 1e-9, 2.0**-20)
TIMES = np.linspace(0.0, 10.0, 41)
DECAY = Reaction("k*y", (("y", "-1"), ("z", "1")))
GROWTH = Reaction("1.5*exp(-z) if z < 1.2 else z**0.5", (("y", "1"),))
DOSE = Event("dose", "t >= due", (("y", "y + 2", "1"), ("due", "due + 3*k", "1")))
LIMIT = Event("limit", "z > 1.5", (("z", "z/2", "1"),), delay="0.25*k")


def network(reactions, events=()):
    species = (Species("y", "", 1.0), Species("z", "", 0.0), Species("due", "", 1.0, scale=0.0))
    return Network(species, (Parameter("k", 1.0),), (), reactions, events)


CASES = {
    "plain": network((DECAY,)),
    "a law that depends on time": network((DECAY, Reaction("sin(t)**2", (("z", "1"),)))),
    "a law with a threshold": network((DECAY, GROWTH)),
    "a law that changes at a time": network(
        (DECAY, Reaction("1 if t > 2*k else 0", (("z", "1"),)))
    ),
    "doses": network((DECAY,), (DOSE,)),
    "doses and thresholds": network((DECAY, GROWTH), (DOSE, LIMIT)),
    "a driven oscillator": networks.driven_oscillator(),
}


def members(case, count=21):
    factors = np.exp(0.4 * np.random.default_rng(1).standard_normal(count))
    parameters = np.outer(factors, case.values) if case.values.size else np.empty((count, 0))
    return np.tile(case.initial, (count, 1)), parameters


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_member_has_the_bits_of_one_alone(case):
    code, (states, parameters) = compile_network(case), members(case)
    many = sample_many(code, case, states, parameters, TIMES, TOLERANCES, seed=5)
    assert np.all(many.status == DONE)
    for i, (state, values) in enumerate(zip(states, parameters, strict=True)):
        first = TOLERANCES.first_step * TIMES[-1]
        alone = Member(0.0, state.copy(), values.copy(), first)
        assert np.array_equal(sample(code, case, alone, TIMES, TOLERANCES, 5 + i), many.states[i])
        assert np.array_equal(alone.counts, many.counts[i])


@pytest.mark.parametrize("case", [CASES["plain"], CASES["doses and thresholds"]])
def test_threads_do_not_change_bits(case, monkeypatch):
    code, (states, parameters) = compile_network(case), members(case)
    found = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("POLYCRINE_THREADS", threads)
        found.append(sample_many(code, case, states, parameters, TIMES, TOLERANCES).states)
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_a_member_that_fails_leaves_the_others_alone():
    blows_up = Network((Species("y", "", 1.0),), (Parameter("k", 0.0),), (),
                       (Reaction("k*y**2 - y", (("y", "1"),)),))  # fmt: skip
    code, states = compile_network(blows_up), np.ones((10, 1))
    parameters = np.zeros((10, 1))
    parameters[3] = 2.0  # reaches infinity at t = ln 2
    many = sample_many(code, blows_up, states, parameters, TIMES, TOLERANCES)
    assert many.status[3] == STEP_TOO_SMALL
    assert many.reached[3] == pytest.approx(np.log(2.0), rel=1e-4)
    assert np.isnan(many.states[3, np.log(2.0) < TIMES]).all()
    assert np.isfinite(many.states[3, TIMES < 0.69]).all()
    others = np.arange(10) != 3
    assert np.all(many.status[others] == DONE)
    assert many.states[others, -1, 0] == pytest.approx(np.exp(-10.0), rel=1e-4)


def test_a_member_that_takes_too_many_steps_says_so():
    case = CASES["plain"]
    few = Tolerances(1e-6, 1e-9, 2.0**-20, max_steps=5)
    many = sample_many(compile_network(case), case, *members(case, 3), TIMES, few)
    assert np.all(many.status == TOO_MANY_STEPS)
    assert np.all((many.reached > 0.0) & (many.reached < 10.0))


def test_a_step_that_ends_at_a_switch_does_not_see_what_comes_behind_it():
    case = network((Reaction("1 if t >= 2 else 0", (("z", "1"),)),))
    member = Member(0.0, case.initial, case.values, 0.01)
    seen = sample(compile_network(case), case, member, TIMES, TOLERANCES)
    assert seen[:, 1] == pytest.approx(np.maximum(TIMES - 2.0, 0.0), abs=1e-12)
    assert member.counts[1] == 0
