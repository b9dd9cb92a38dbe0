"""Small networks and models for the tests of the mathematics."""

import numpy as np

from polycrine.engine.rosenbrock import advance
from polycrine.network.code import compile_network
from polycrine.network.network import Network, Parameter, Reaction, Species


def decay_by_square():
    """y' = -k y^2, exactly 1 / (1 + k t) from y = 1."""
    return Network(
        (Species("y", "pM", 1.0),),
        (Parameter("k", 1.0),),
        (),
        (Reaction("k*y**2", (("y", "-1"),)),),
    )


def driven_oscillator():
    """Stiff and driven in time: y' = -1000 (y - exp(-t)) - exp(-t), exactly exp(-t) from 1."""
    rate = "1000*(y - exp(-t)) + exp(-t)"
    return Network((Species("y", "pM", 1.0),), (), (), (Reaction(rate, (("y", "-1"),)),))


def steps(network, end, count):
    """The state after `count` equal steps without error control."""
    code, y = compile_network(network), network.initial
    plan = code.plan
    arrays = (plan.order, plan.diagonal, plan.jacobian_at, plan.lower_start, plan.lower_at,
              plan.lower_row, plan.upper_start, plan.upper_at, plan.upper_column, plan.target)  # fmt: skip
    functions = np.array([code.rates, code.jacobian, code.drift])
    for k in range(count):
        status, _, _ = advance(
            functions, code.rows, arrays, plan.size, np.ones(y.size), y, network.values,
            end * k / count, end * (k + 1) / count, end, 1.0, np.full(y.size, 1e9), 10, np.zeros(2),
        )  # fmt: skip
        assert status == 0
    return y
