"""What is around a cell, as its equations name it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from polycrine.network.touch import Touch


@dataclass(frozen=True)
class Surroundings:
    """What a cell hears and changes: for each molecule the name of its concentration (pM), the
    species that a molecule enters, and the amount by which one molecule per cell raises it; touch:
    for each ligand on cells that touch it, how it is heard."""

    levels: Mapping[str, str]
    stocks: Mapping[str, str]
    raised_by: Mapping[str, str]
    pmol: str
    touch: Mapping[str, Touch] = field(default_factory=dict)
