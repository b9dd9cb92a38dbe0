"""Forward sensitivities against finite differences: smooth, through doses, events and switches."""

from dataclasses import replace

import numpy as np
import pytest

from polycrine.engine.stirred import Member, Tolerances, sample
from polycrine.errors import InputError
from polycrine.model.programs import equations_file
from polycrine.network.code import compile_network
from polycrine.network.network import Event, Network, Parameter, Reaction, Species
from polycrine.network.sbml import read_sbml
from polycrine.network.sensitivity import split, with_sensitivities
from polycrine.runs.sbml import sensitivities, simulate

TIGHT = Tolerances(1e-11, 1e-13, 2.0**-20)
TIMES = np.linspace(0.0, 10.0, 37)


def network(reactions, events=(), **parameters):
    species = (Species("y", "", 1.0), Species("z", "", 0.2), Species("due", "", 2.3, scale=0.0))
    given = tuple(Parameter(name, value) for name, value in parameters.items())
    return Network(species, given, (), reactions, events)


DECAY = Reaction("k*y", (("y", "-1"), ("z", "1")))
LOSS = Reaction("c*z", (("z", "-1"),))
CASES = {
    "smooth": network((DECAY, LOSS), k=0.7, c=0.3),
    "doses at times of their own": network(
        (DECAY, LOSS),
        (Event("dose", "t >= due", (("y", "y + a", "1"), ("due", "due + 2.6", "1"))),),
        k=0.7, c=0.3, a=1.5,
    ),
    "doses whose time and size depend on numbers": network(
        (DECAY, LOSS),
        (Event("dose", "t >= b", (("y", "y*a + k", "1"),)),),
        k=0.7, c=0.3, a=1.5, b=3.3,
    ),
    "an event that the state triggers": network(
        (DECAY, LOSS),
        (Event("limit", "z > s", (("z", "z*a", "1"), ("y", "y/2 + z", "1"))),),
        k=0.7, c=0.05, a=0.5, s=0.63,
    ),
    "an event that happens later, with values of then and of now": network(
        (DECAY, LOSS),
        (
            Event("early", "z > s", (("z", "z*a", "1"),), delay="d + k", early=True),
            Event("late", "z > s + 0.05", (("y", "y + a*z", "1"),), delay="2*d", early=False),
        ),
        k=0.7, c=0.05, a=0.5, s=0.5, d=0.8,
    ),
    "a switch of a rate by the state": network(
        (DECAY, LOSS, Reaction("a if z < s else c*z**2", (("y", "1"),))),
        k=0.7, c=0.3, a=0.6, s=0.55,
    ),
    "a switch of a rate at a time": network(
        (DECAY, LOSS, Reaction("a if t > b else 0", (("y", "1"),))), k=0.7, c=0.3, a=0.6, b=4.1
    ),
    "a switch that comes and goes": network(
        (DECAY, LOSS, Reaction("a if sin(t) > s else 0", (("y", "1"),))),
        k=0.7, c=0.3, a=0.6, s=0.2,
    ),
}  # fmt: skip


def run(case, tolerances=TIGHT):
    member = Member(0.0, case.initial, case.values, 2.0**-20)
    return sample(compile_network(case), case, member, TIMES, tolerances)


def differences(case, name, share):
    """Central differences; rows at which an event falls between the two runs are not compared."""
    sides = []
    for sign in (1, -1):
        parameters = tuple(
            replace(p, value=p.value * (1 + sign * share)) if p.name == name else p
            for p in case.parameters
        )
        sides.append(run(replace(case, parameters=parameters)))
    value = next(p.value for p in case.parameters if p.name == name)
    return (sides[0] - sides[1]) / (2 * share * value)


@pytest.mark.parametrize("case", CASES)
def test_a_sensitivity_is_the_limit_of_finite_differences(case):
    net = CASES[case]
    wanted = tuple(parameter.name for parameter in net.parameters)
    whole = with_sensitivities(net, wanted)
    states, slopes = split(whole, run(whole, Tolerances(1e-9, 1e-11, 2.0**-20)))
    np.testing.assert_allclose(states, run(net), rtol=1e-6, atol=1e-7)
    for k, name in enumerate(wanted):
        expected = differences(net, name, 1e-5)
        seen = slopes[:, k]
        size = np.abs(expected).max(axis=0)
        kept = (np.abs(expected) < 30 * np.abs(seen).max()).all(axis=1)
        assert kept.sum() >= len(TIMES) - 1
        error = np.abs(seen - expected)[kept].max(axis=0)
        assert (error <= 1e-4 * size + 1e-8).all(), (name, error / (size + 1e-300))


def test_a_sensitivity_to_the_start_of_a_variable():
    net = CASES["smooth"]
    whole = with_sensitivities(net, ("y",))
    _, slopes = split(whole, run(whole, Tolerances(1e-9, 1e-11, 2.0**-20)))
    np.testing.assert_allclose(slopes[:, 0, 0], np.exp(-0.7 * TIMES), rtol=1e-6)


def test_of_a_model_in_SBML_symbols_are_as_they_are_shown():
    text = equations_file("il13.xml").replace('(ng/mL)" value="0"', '(ng/mL)" value="4"')
    model = read_sbml(text)
    wanted = ("JAK2_phosphorylation", "SHP1", "Rec")
    found = sensitivities(model, wanted, 60.0, 7).set_index(["of", "symbol", "time"])
    found = found.value.sort_index()
    value = 0.157057
    sides = [
        simulate(
            read_sbml(text.replace('value="0.157057"', f'value="{value * (1 + s)!r}"')), 60.0, 7
        )
        for s in (1e-4, -1e-4)
    ]
    expected = (sides[0] - sides[1]) / (2e-4 * value)
    for symbol in ("pSTAT5", "pJAK2", "SOCS3"):
        seen = found["JAK2_phosphorylation", symbol].to_numpy()
        scale = np.abs(expected[symbol]).max()
        np.testing.assert_allclose(seen, expected[symbol], rtol=1e-4, atol=1e-4 * scale)


@pytest.mark.parametrize("name", ["k", "cell"])
def test_what_the_start_of_another_depends_on_is_refused(name):
    text = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1"><model id="m">
<listOfCompartments><compartment id="cell" size="2" constant="true"/></listOfCompartments>
<listOfSpecies>
<species id="a" compartment="cell" initialConcentration="3" hasOnlySubstanceUnits="false"
 boundaryCondition="false" constant="false"/>
<species id="b" compartment="cell" initialAmount="1" hasOnlySubstanceUnits="true"
 boundaryCondition="false" constant="false"/></listOfSpecies>
<listOfParameters><parameter id="k" value="0.5" constant="true"/>
<parameter id="j" value="0.1" constant="true"/></listOfParameters>
<listOfInitialAssignments><initialAssignment symbol="b">
<math xmlns="http://www.w3.org/1998/Math/MathML"><apply><times/><ci>k</ci><cn>4</cn></apply></math>
</initialAssignment></listOfInitialAssignments>
<listOfReactions><reaction id="r" reversible="false" fast="false">
<listOfReactants><speciesReference species="b" stoichiometry="1" constant="true"/></listOfReactants>
<listOfProducts><speciesReference species="a" stoichiometry="1" constant="true"/></listOfProducts>
<kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML"><apply><times/><ci>k</ci><ci>j</ci>
<ci>b</ci></apply></math></kineticLaw></reaction></listOfReactions></model></sbml>"""
    model = read_sbml(text)
    with pytest.raises(InputError, match="the start of '[ab]' depends on it"):
        sensitivities(model, (name,), 1.0, 2)
    assert len(sensitivities(model, ("j",), 1.0, 2))


def test_a_name_that_is_not_there_is_refused():
    model = read_sbml(equations_file("il13.xml"))
    with pytest.raises(InputError, match="Did you mean 'SHP1'"):
        sensitivities(model, ("SHP2",), 1.0, 2)
