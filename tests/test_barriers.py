"""Walls against what was measured across them."""

import pytest

from polycrine.catalogue.library import catalogue
from polycrine.network.barriers import Wall, exchange, molecular_radius

SQUARE_CENTIMETRE = 1e8  # um^2
CM_PER_S = 1e-12 / 60  # of um^3/min through a square centimetre


def permeability(barrier, kda):
    entry = catalogue().barriers[barrier]
    conductance = entry.conductance.read("hydraulic conductivity") * SQUARE_CENTIMETRE
    pores = entry.small_pore.read("length"), entry.large_pore.read("length")
    wall = Wall(*pores, entry.large_share.read("number"), conductance)
    return exchange(wall, molecular_radius(kda), 0.0)[0] * CM_PER_S


def test_albumin_crosses_the_alveolar_epithelium_as_in_sheep():
    assert 4.3e-10 < permeability("epithelium", 66.5) < 5.8e-10  # Gorin 1979


def test_the_epithelium_is_more_than_nine_tenths_of_the_resistance():
    across = {name: 1 / permeability(name, 66.5) for name in ("epithelium", "endothelium")}
    assert across["epithelium"] > 0.92 * sum(across.values())  # Gorin 1979


@pytest.mark.parametrize("barrier", ["endothelium", "epithelium"])
def test_an_antibody_crosses_more_slowly_than_a_cytokine(barrier):
    assert permeability(barrier, 150) < 0.5 * permeability(barrier, 21)
