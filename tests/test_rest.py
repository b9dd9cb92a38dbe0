"""Steady states and conserved sums."""

import networks
import numpy as np
import pytest

from polycrine.engine.rest import come_to_rest
from polycrine.engine.stirred import Tolerances
from polycrine.errors import InputError, NumericsError
from polycrine.model.programs import equations_file
from polycrine.network.code import compile_network
from polycrine.network.conserved import conserved_sums, written
from polycrine.network.network import Network, Parameter, Reaction, Species
from polycrine.network.sbml import read_sbml
from polycrine.runs.sbml import simulate, steady_state


def network(species, parameters, *reactions):
    held = tuple(Species(name, "", value) for name, value in species.items())
    given = tuple(Parameter(name, value) for name, value in parameters.items())
    return Network(held, given, (), tuple(Reaction(rate, changes) for rate, changes in reactions))


def rest_of(net, first=1.0):
    sums = conserved_sums(net)
    names = [species.name for species in net.species]
    matrix = np.array([[float(one.get(name, 0)) for name in names] for one in sums])
    matrix = matrix.reshape(len(sums), len(names))
    place = compile_network(net), net.initial, net.values, matrix, net.scales
    return come_to_rest(*place, Tolerances(1e-8, 1e-10), first)


BINDING = network(
    {"R": 10.0, "L": 4.0, "C": 1.0},
    {"kon": 0.3, "koff": 0.7},
    ("kon*R*L", (("R", "-1"), ("L", "-1"), ("C", "1"))),
    ("koff*C", (("R", "1"), ("L", "1"), ("C", "-1"))),
)


def test_binding_rests_where_the_law_of_mass_action_says():
    rest = rest_of(BINDING)
    total, other, kd = 11.0, 5.0, 0.7 / 0.3
    b = total + other + kd
    bound = (b - np.sqrt(b * b - 4 * total * other)) / 2
    np.testing.assert_allclose(rest.state, [total - bound, other - bound, bound], rtol=1e-12)
    assert rest.residual < 1e-12
    assert rest.growth < 0


def test_its_conserved_sums_are_the_two_totals():
    assert {written(one) for one in conserved_sums(BINDING)} == {"R + C", "L + C"}


def test_sums_have_the_weights_of_the_stoichiometry():
    dimer = network(
        {"A": 1.0, "A2": 0.0, "x": 0.0},
        {"half": 0.5, "k": 1.0},
        ("k*A**2", (("A", "-2"), ("A2", "1"))),
        ("k*A2", (("A2", "-half"), ("A", "1"))),
        ("k", (("x", "1"),)),
    )
    assert [written(one) for one in conserved_sums(dimer)] == ["A + 2 A2"]


def test_a_species_whose_change_is_not_constant_is_in_no_sum():
    net = network({"a": 1.0, "b": 1.0}, {}, ("1.0", (("a", "-b"), ("b", "1"))))
    assert conserved_sums(net) == []


def test_pools_inside_pools_keep_their_own_totals():
    cycle = network(
        {"E": 1.0, "S": 100.0, "ES": 0.0, "P": 0.0, "F": 2.0, "FP": 0.0},
        {"k": 1.0},
        ("k*E*S", (("E", "-1"), ("S", "-1"), ("ES", "1"))),
        ("2*k*ES", (("ES", "-1"), ("E", "1"), ("P", "1"))),
        ("k*F*P", (("F", "-1"), ("P", "-1"), ("FP", "1"))),
        ("3*k*FP", (("FP", "-1"), ("F", "1"), ("S", "1"))),
    )
    assert {written(one) for one in conserved_sums(cycle)} == {
        "E + ES",
        "F + FP",
        "S + ES + P + FP",
    }
    state = dict(zip(["E", "S", "ES", "P", "F", "FP"], rest_of(cycle).state, strict=True))
    assert state["E"] + state["ES"] == pytest.approx(1.0, rel=1e-12)
    assert state["S"] + state["ES"] + state["P"] + state["FP"] == pytest.approx(100.0, rel=1e-12)
    assert 2 * state["ES"] == pytest.approx(3 * state["FP"], rel=1e-9)


def test_an_oscillator_and_what_grows_for_ever_do_not_come_to_rest():
    growing = network({"x": 1.0}, {"k": 1.0}, ("k", (("x", "1"),)))
    with pytest.raises(NumericsError, match="does not come to rest"):
        rest_of(growing)
    wave = network(
        {"x": 1.0, "y": 0.0}, {}, ("y", (("x", "1"),)), ("4*(1 - x**2)*y - x", (("y", "1"),))
    )
    with pytest.raises(NumericsError, match="come to rest|smaller|more steps"):
        rest_of(wave)


def test_a_state_on_the_edge_between_two_is_said_to_be_unstable():
    switch = network({"x": 0.5}, {}, ("x*(1 - x)*(x - 0.5)", (("x", "1"),)))
    rest = rest_of(switch)
    assert rest.state[0] == pytest.approx(0.5)
    assert rest.growth > 0


def test_a_published_model_rests_where_it_goes_in_a_long_run():
    text = equations_file("il13.xml")
    model = read_sbml(text)
    found = steady_state(model)
    assert found.attrs["stable"]
    assert found.attrs["conserved"]["STAT5 + pSTAT5"] == pytest.approx(165.0)
    values = found.set_index("id").value
    late = simulate(model, 1e6, 2).iloc[-1]
    for name in ("Rec", "Rec_i", "STAT5", "JAK2"):
        assert values[name] == pytest.approx(late[name], rel=1e-6)


def test_what_depends_on_time_has_no_steady_state():
    text = equations_file("il13.xml")
    model = read_sbml(text)
    timed = networks.driven_oscillator()
    with pytest.raises(InputError, match="depends on time"):
        steady_state(type(model)("timed", timed, ()))
