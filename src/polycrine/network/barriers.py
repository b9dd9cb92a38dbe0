"""What passes a wall by molecular size: two kinds of pores, diffusion and convection.

Through pores of radius r that carry the flow J and the hydraulic conductance a LpS,

    PS = D (A/A0) 8 eta a LpS / r^2,   Pe = J (1 - sigma) / PS,
    flux = J (1 - sigma) (c_plasma - c_tissue e^-Pe) / (1 - e^-Pe),

with A/A0 = (1 - l)^2 (1 - 2.104 l + 2.09 l^3 - 0.95 l^5) (Renkin) and the reflection coefficient
sigma = (1 - (1 - l)^2)^2, l = a/r. The filtered fluid leaves as lymph with what it holds.
A molecule of mass M has the radius 0.066 M^(1/3) nm (M in Da, tight sphere) times FRICTION.
"""

import math
from dataclasses import dataclass

VISCOSITY = 0.69e-3 / 60  # Pa min, water at 37 C
THERMAL = 1.380649e-23 * 310.15 * 1e18  # kT in Pa um^3 at 37 C
FRICTION = 1.25  # a hydrated protein against a tight sphere of its mass
TIGHT_SPHERE = 0.066e-3  # um per cube root of Da


@dataclass(frozen=True)
class Wall:
    """A barrier in internal units: pore radii (um), share of large pores, LpS (um^3/(min Pa))."""

    small: float
    large: float
    large_share: float
    conductance: float


def molecular_radius(kda: float) -> float:
    """The radius (um) of a globular protein of a mass; Erickson 2009 for the tight sphere."""
    return float(FRICTION * TIGHT_SPHERE * (1000 * kda) ** (1 / 3))


def free_diffusion(radius: float) -> float:
    """Diffusion (um^2/min) in water at 37 C of a sphere of a radius (um), Stokes and Einstein."""
    return THERMAL / (6 * math.pi * VISCOSITY * radius)


def exchange(wall: Wall, radius: float, filtration: float) -> tuple[float, float]:
    """Clearances (um^3/min) from plasma into tissue and back, without what lymph carries.

    filtration: the net flow into the tissue, shared by the pores as their conductance.
    """
    into = back = 0.0
    pores = ((wall.small, 1 - wall.large_share), (wall.large, wall.large_share))
    for pore, share in pores:
        ratio = radius / pore
        if ratio >= 1:
            continue
        free = (1 - ratio) ** 2
        area = free * (1 - 2.104 * ratio + 2.09 * ratio**3 - 0.95 * ratio**5)
        permeability = free_diffusion(radius) * area
        permeability *= 8 * VISCOSITY * share * wall.conductance / pore**2
        carried = filtration * share * (1 - (1 - free) ** 2)
        if carried == 0:
            into, back = into + permeability, back + permeability
            continue
        peclet = carried / permeability
        into += carried / -math.expm1(-peclet)
        back += carried * math.exp(-peclet) / -math.expm1(-peclet)
    return into, back
