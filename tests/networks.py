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
    functions = np.array([code.rates, code.jacobian, code.drift])
    free, limits = np.ones(y.size), (1.0, np.full(y.size, 1e9), 10)
    for k in range(count):
        start, stop = end * k / count, end * (k + 1) / count
        status, _, _ = advance(
            functions,
            code.rows,
            code.plan,
            free,
            y,
            network.values,
            start,
            stop,
            end,
            limits,
            np.zeros(2),
        )
        assert status == 0
    return y
