"""Small networks and models for the tests of the mathematics."""

import ast

import numpy as np

from polycrine.engine.driver import advance
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
    free, limits = np.ones(y.size), (1.0, np.full(y.size, 1e9), 10)
    for k in range(count):
        start, stop = end * k / count, end * (k + 1) / count
        place = code, free, y, network.values
        status, _, _ = advance(*place, start, stop, end, limits, np.zeros(2))
        assert status == 0
    return y


def python_rates(network):
    """dy/dt as a Python function of (t, y, p), written from the text of the rate laws alone."""
    names = {species.name: f"y[{i}]" for i, species in enumerate(network.species)}
    names |= {parameter.name: f"p[{i}]" for i, parameter in enumerate(network.parameters)}
    names |= {name: f"v{i}" for i, (name, _) in enumerate(network.assignments)}

    class Named(ast.NodeTransformer):
        def visit_Name(self, node):  # noqa: N802
            return ast.parse(names.get(node.id, node.id), mode="eval").body

        def visit_Attribute(self, node):  # noqa: N802
            return ast.parse(names[ast.unparse(node)], mode="eval").body

    def python(text):
        return ast.unparse(Named().visit(ast.parse(text, mode="eval")))

    lines = [f"  {names[name]} = {python(text)}" for name, text in network.assignments]
    for i, reaction in enumerate(network.reactions):
        lines.append(f"  r{i} = {python(reaction.rate)}")
    terms = {species.name: ["0"] for species in network.species}
    for i, reaction in enumerate(network.reactions):
        for name, factor in reaction.changes:
            terms[name].append(f"({python(factor)})*r{i}")
    lines.append(f"  return [{', '.join(' + '.join(parts) for parts in terms.values())}]")
    found = {}
    exec("\n".join(("from math import exp", "def rates(t, y, p):", *lines)), found)
    return found["rates"]
