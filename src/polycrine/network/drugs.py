"""How a drug spreads, is absorbed and leaves, by its published kinetics.

One compartment, or two:  V1 c1' = -(CL + Q) c1 + Q c2 + absorbed,  V2 c2' = Q (c1 - c2), with the
depot  A' = -ka A  of each route other than the vein; of what leaves a depot the share F comes to
the blood. V1 is what the drug fills at once: every fluid that flows join to the plasma sees its
concentration there. What binds it, in fluids and on cells, takes it from V1: target-mediated
disposition is the binding, internalisation and turnover of its targets, besides the linear CL.
Where the published kinetics have a saturable part Vmax c / (Km + c), targets outside the model take
the rest of it: Vmax less what the model's own receptors take when all are bound, their synthesis.
A molecule without such kinetics (IL-10, IL-1Ra) is absorbed from depots just so, and then spreads
and leaves as what the body makes does.
"""

import numpy as np

from polycrine.catalogue.entries import Absorption, Kinetics, Saturable
from polycrine.network.builder import Builder
from polycrine.network.network import Value, identifier

ROUTES = {"under the skin": "under_skin", "by mouth": "by_mouth"}
LOST = "lost before the blood"


def volume_name(molecule: str) -> str:
    """The parameter that has the volume which a drug fills at once."""
    return f"{identifier(molecule)}.volume"


def depot_name(molecule: str, route: str) -> str:
    """The species that holds what was given by a route and is not absorbed yet (pmol)."""
    return f"{identifier(molecule)}.{ROUTES[route]}"


def write_disposition(build: Builder, molecule: str, kinetics: Kinetics, central: str) -> None:
    """The second compartment of a drug whose concentration in plasma is `central`."""
    if kinetics.second_volume is None or kinetics.exchange is None:
        return
    own, first = identifier(molecule), volume_name(molecule)
    path = f"{molecule}.kinetics"
    second = build.number(f"{path}.second_volume", kinetics.second_volume, "volume")
    exchange = build.number(f"{path}.exchange", kinetics.exchange, "clearance")
    tissue = build.add(f"{own}.second", "pM", contents={molecule: 1}, pmol=second)
    build.react(f"{exchange}*{central}", {central: f"-1/{first}", tissue: f"1/{second}"})
    build.react(f"{exchange}*{tissue}", {central: f"1/{first}", tissue: f"-1/{second}"})


def write_saturable(
    build: Builder, molecule: str, saturable: Saturable, central: str, taken: Value
) -> None:
    """What targets outside the model take up; taken: by those within at most (pmol/min)."""
    path, form = f"{molecule}.kinetics.saturable", build.known.active_form(molecule)
    most = build.number(f"{path}.most", saturable.most, "elimination", form)
    half = build.number(f"{path}.half", saturable.half, "concentration", form)
    rest = build.constant(
        f"{identifier(molecule)}.saturable", np.maximum(build.value(most) - taken, 0.0)
    )
    rate = f"{rest}/{volume_name(molecule)}*{central}/({half} + {central})"
    build.react(rate, {central: "-1"}, "taken up by other targets")


def write_depot(
    build: Builder, molecule: str, route: str, absorption: Absorption, central: str, volume: str
) -> None:
    """What is absorbed into the plasma, whose concentration and volume are named."""
    path = f"{molecule}.absorbed.{route.replace(' ', '_')}"
    rate = build.number(f"{path}.rate", absorption.rate, "rate")
    share = build.number(f"{path}.available", absorption.available, "number")
    one = build.constant(f"{identifier(molecule)}.pmol", 1.0)
    depot = build.add(depot_name(molecule, route), "pmol", contents={molecule: 1}, pmol=one)
    build.react(f"{rate}*{depot}", {depot: "-1", central: f"{share}/{volume}"}, LOST)
