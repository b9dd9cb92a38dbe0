"""What knock-outs tell: what a cytokine moves, and who stands in for it."""

import pandas as pd
import pytest

import polycrine as pc
from polycrine.errors import InputError
from polycrine.readouts.knockouts import MOVED, effects, knocked_out_in, pleiotropy, redundancy

ROWS = [("A", "x", 1.0), ("A", "y", 0.5), ("B", "x", 0.9), ("B", "y", 0.5), ("C", "x", 1.0)]
TABLE = pd.DataFrame(
    [*ROWS, ("A and B", "x", 0.3), ("A and B", "y", 0.25), ("C", "y", 1.1)],
    columns=["knocked_out", "read_out", "ratio"],
).assign(moved=lambda table: ~table.ratio.between(1 / MOVED, MOVED))


def test_pleiotropy_counts_the_read_outs_that_a_knock_out_moves():
    found = pleiotropy(TABLE).set_index("knocked_out")
    assert found.moved.to_dict() == {"A": 1, "B": 1, "C": 0}
    assert found.which["A"] == "y"
    assert (found.of == 2).all()


def test_those_are_redundant_of_whom_either_is_enough():
    found = redundancy(TABLE).set_index("read_out")
    assert found.redundant.to_dict() == {"x": True, "y": False}
    assert found.excess["x"] == pytest.approx(0.3 / 0.9)
    assert found.excess["y"] == pytest.approx(1.0)


def test_il10_and_its_partners_in_endotoxemia():
    model = pc.load("endotoxemia").with_knock_outs(["IL10", "TNF"])
    arms = ["untreated", "without IL10", "without TNF", "without IL10 and TNF"]
    run = pc.run(model, arms, duration="6 h")
    assert {"without TNF", "IL-10 knocked out"} < {*knocked_out_in(model)}
    table = effects(run, model).set_index(["knocked_out", "read_out"]).ratio
    assert table["TNF", "IL10 in blood"] < 1 / MOVED
    assert table["TNF", "IL6 in blood"] < 1 / MOVED
    assert table["IL10", "sTNFR2 in blood"] < 1  # which it raises
    assert not [key for key in table.index if key[1].split()[0] in key[0].split(" and ")]


def test_an_unknown_gene_product_is_refused_with_the_nearest_name():
    model = pc.load("endotoxemia").with_knock_outs(["IL11"])
    with pytest.raises(InputError, match="'IL11' is no molecule of this model.*IL1"):
        pc.run(model, "without IL11")
