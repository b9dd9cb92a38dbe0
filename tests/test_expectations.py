"""What was published of each scenario, held against a run of it."""

from functools import cache

import pytest

import polycrine as pc
from polycrine.errors import InputError
from polycrine.model.observations import UNTREATED
from polycrine.model.yamlfile import read_model, write_model
from polycrine.readouts.expectations import expectations
from polycrine.scenarios.library import load, scenario_names

EXPECTING = [name for name in scenario_names() if load(name).expect]


@cache
def found(name):
    model = load(name)
    arms = {one.arm for one in model.expect} | {one.over for one in model.expect}
    wanted = [arm for arm in (UNTREATED, *model.arms) if arm in arms]
    return expectations(pc.run(model, wanted), model)


@pytest.mark.parametrize("name", EXPECTING)
def test_what_was_published_is_found(name):
    table = found(name)
    assert len(table) == len(load(name).expect)
    failed = table[~table.holds]
    assert failed.empty, failed[["claim", "found", "low", "high"]].to_string()


@pytest.mark.parametrize("name", EXPECTING)
def test_three_published_magnitudes_at_least_are_held(name):
    assert len(load(name).expect) >= 3


def test_an_expectation_of_what_is_not_observed_is_told_with_its_line():
    text = write_model(load("b-cell-help")).replace("count of plasma cell", "count of plasma cels")
    with pytest.raises(InputError, match="'count of plasma cels' is not observed"):
        read_model(text, "model.yaml")
