import networks
import numpy as np
import pytest

from polycrine.engine.stirred import Member, Tolerances, run_stops
from polycrine.network.code import compile_network, make_plan
from polycrine.network.expressions import read
from polycrine.network.network import Network, Parameter, Reaction, Species
from polycrine.network.stops import Stop


def solve(network, times, tolerances=None):
    tolerances = tolerances or Tolerances()
    member = Member(0.0, network.initial, network.values, tolerances.first_step)
    stops = [Stop(time, True) for time in times]
    code = compile_network(network)
    run_stops(code, [member], [stops], network.scales, tolerances, times[-1])
    return np.array(member.states)


def test_the_error_of_equal_steps_falls_with_the_fourth_power():
    errors = [abs(networks.steps(networks.decay_by_square(), 1.0, n)[0] - 0.5) for n in (8, 16, 32)]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert orders == pytest.approx([4, 4], abs=0.2)


def test_a_stiff_equation_driven_in_time_keeps_its_accuracy():
    error = abs(networks.steps(networks.driven_oscillator(), 1.0, 20)[0] - np.exp(-1))
    assert error < 1e-6


def test_tighter_tolerances_give_smaller_errors():
    errors = []
    for rtol in (1e-4, 1e-6, 1e-8):
        states = solve(networks.decay_by_square(), [1.0], Tolerances(rtol, rtol))
        errors.append(abs(states[-1, 0] - 0.5))
    assert errors[0] > 5 * errors[1] > 25 * errors[2]
    assert errors[2] < 1e-8


def test_the_sparse_elimination_solves_what_a_dense_one_solves():
    rng = np.random.default_rng(1)
    n = 25
    reactions = tuple(
        Reaction(f"k{i % 5}*y{i}*(1 + y{j})", ((f"y{i}", "-1"), (f"y{k}", "1")))
        for i, j, k in rng.integers(0, n, (60, 3)).tolist()
        if i != k
    )
    network = Network(
        tuple(Species(f"y{i}", "pM", 1.0 + i / n) for i in range(n)),
        tuple(Parameter(f"k{i}", 0.5 + i) for i in range(5)),
        (),
        reactions,
    )
    from scipy.integrate import solve_ivp

    def rates(t, y):
        known = {f"y{i}": y[i] for i in range(n)} | {f"k{i}": 0.5 + i for i in range(5)}
        out = np.zeros(n)
        for reaction in reactions:
            for name, factor in reaction.changes:
                out[int(name[1:])] += read(factor, known) * read(reaction.rate, known)
        return out

    oracle = solve_ivp(rates, (0, 2), network.initial, "LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    states = solve(network, [2.0])
    assert states[-1] == pytest.approx(oracle, rel=1e-6)
    assert states[-1].sum() == pytest.approx(network.initial.sum(), rel=1e-13)


def test_the_plan_of_elimination_has_no_needless_fill():
    # an arrow matrix fills nothing when its head is eliminated last
    n = 12
    rows = np.array([*range(n), *[0] * (n - 1), *range(1, n)])
    columns = np.array([*range(n), *range(1, n), *[0] * (n - 1)])
    assert make_plan(n, rows, columns).size == 3 * n - 2


def test_a_member_that_fails_keeps_its_last_good_time_and_the_others_go_on():
    # y' = y^2 leaves every bound at t = 1/y0
    network = Network(
        (Species("y", "pM", 1.0),), (Parameter("k", 1.0),), (), (Reaction("k*y**2", (("y", "1"),)),)
    )
    tolerances = Tolerances(max_steps=2000)
    members = [
        Member(0.0, np.array([y0]), network.values, tolerances.first_step) for y0 in (0.1, 1.0)
    ]
    stops = [Stop(0.5, True), Stop(2.0, True)]
    run_stops(compile_network(network), members, [stops] * 2, network.scales, tolerances, 2.0)
    good, bad = members
    assert good.status == 0
    assert good.state[0] == pytest.approx(0.125, rel=1e-6)
    assert bad.status != 0
    assert 0.5 <= bad.time < 1.01
    assert bad.message


@pytest.mark.parametrize(
    "text", ["__import__('os')", "y.real if 1 else 2", "[y]", "y @ k", "y < k < 1"]
)
def test_a_rate_law_holds_arithmetic_only(text):
    with pytest.raises((ValueError, KeyError)):
        read(text, {"y": 1.0, "k": 1.0})
