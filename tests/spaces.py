"""Small tissues built by hand, for the tests of the mathematics in space.

One ligand L (the first field) is made by cells at a constant rate and taken up by receptors:

    R' = -kon c R + koff C,   C' = kon c R - (koff + kint) C,   inside' = kint C.

Where receptors are not spent by binding, a cell is a linear sink.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from polycrine.engine.cells import make_batch
from polycrine.engine.coupled import advance
from polycrine.engine.life import locate
from polycrine.engine.tissue import Settings, make_tissue
from polycrine.network.code import compile_network
from polycrine.network.network import Network, Parameter, Reaction, Species
from polycrine.network.tissue import MOLECULES, Kind, Ports, Space

HELD = (("L", 1),)
UNCHECKED = 1e9  # a tolerance that never shortens a step
CORES = 1


def cell(key="cell", radius=5.0, made=0.0, sites=0.0, kon=0.0, kd=0.0, kint=0.0, spent=1.0, **ways):
    """Cells of one kind: made in molecules/min, kon in 1/(pM min), Kd in pM, kint in 1/min."""
    numbers = {"level": 0.0, "made": made, "kon": kon, "kd": kd, "kint": kint, "spent": spent}
    outside = "cell.outside_L"
    network = Network(
        (
            Species(outside, "molecules", contents=HELD, scale=10.0),
            Species("free", "molecules", sites, scale=10.0),
            Species("bound", "molecules", contents=HELD, scale=10.0),
            Species("inside", "molecules", contents=HELD, scale=10.0),
        ),
        tuple(Parameter(name, value) for name, value in numbers.items()),
        (),
        (
            Reaction("made", ((outside, "1"),)),
            Reaction(
                "kon*level*free",
                (
                    ("cell.outside_L", "-1"),
                    ("free", "-spent"),
                    ("bound", "spent"),
                    ("inside", "1-spent"),
                ),
            ),
            Reaction("kd*kon*bound", ((outside, "1"), ("free", "1"), ("bound", "-1"))),
            Reaction("kint*bound", (("bound", "-1"), ("inside", "1"))),
        ),
    )
    one = np.zeros(1, dtype=np.int64)
    at, species = network.parameter_index, network.index
    ports = Ports(
        molecule=one,
        outside=one + species(outside),
        hears=one,
        level=one + at("level"),
        antigen=-1,
        pair=one,
        receptor=one + species("free"),
        bound=one + species("bound"),
        kon=one + at("kon"),
        kd=one + at("kd"),
        kint=one + at("kint"),
        gates=np.full((1, 4), -1),
        pool=one - 1,
        made=one - 1,
        spoilt=one - 1,
    )
    usual = {"speed": 0.0, "persistence": np.inf, "toward": (), "engulfs": 0.0, "holds": np.inf}
    usual |= {"lifetime": np.inf, "egress": np.inf, "admits": (), "spills": ()}
    return Kind(key, network, ports, 0, radius, **(usual | ways))


def sink(clearance, **more):
    """A cell that clears um^3/min at its surface, whatever the concentration."""
    return cell(sites=clearance * MOLECULES, kon=1.0, spent=0.0, **more)


def space(shape, voxel=10.0, diffusion=3000.0, loss=0.0, phi=0.25, **more):
    """A closed tissue of L alone, or of more fields with soluble binding."""
    fluid = more.get("fluid", ("L",))
    usual = {
        "key": "tissue",
        "bath": "",
        "periodic": False,
        "open_faces": False,
        "scale": 1.0,
        "fluid": fluid,
        "followed": np.full(len(fluid), -1),
        "into": np.zeros(len(fluid)),
        "back": np.zeros(len(fluid)),
        "opened_by": (),
        "torn": 1.0,
        "parts": np.zeros((0, 3), dtype=np.int64),
        "kon": np.zeros(0),
        "koff": np.zeros(0),
        "gates": ((),) * len(more.get("kon", ())),
        "kinds": (),
        "touch": np.zeros((0, 0)),
        "microbes": None,
        "parameters": (),
    }
    return Space(
        voxel=voxel,
        shape=shape,
        fluid_fraction=phi,
        diffusion=np.broadcast_to(np.asarray(diffusion, float), len(fluid)).copy(),
        loss=np.broadcast_to(np.asarray(loss, float), len(fluid)).copy(),
        **(usual | more),
    )


def tissue(where, cells=(), settings=None, start=None, seed=1):
    """A tissue with cells of kinds at positions: (kind, array of cell x axis in um), ..."""
    start = np.zeros(len(where.fluid)) if start is None else np.asarray(start, float)
    settings = settings or Settings()
    made = make_tissue(where, settings, seed, start)
    made.step = min(made.step, settings.longest) if settings.step < UNCHECKED else settings.longest
    for kind, position in cells:
        network = kind.network
        batch = make_batch(kind, compile_network(network), network.values, network.initial)
        ids = np.arange(made.next_id, made.next_id + len(position))
        made.next_id += len(position)
        batch.add(ids, np.array(position, float), batch.resting, 2.0**-6)
        locate(made, batch)
        made.batches.append(batch)
    return made


def steps_of(length, **more):
    """Settings for steps of one length (min), whatever a step may misplace."""
    return Settings(step=UNCHECKED, longest=length, tick=max(length, 0.5), **more)


def run(where, until, threads=CORES):
    """Let time pass in a tissue."""
    with ThreadPoolExecutor(threads) as pool:
        advance(where, until, pool)
    return where


def molecules(where):
    """All L in a tissue: in the fluid, on and in cells, and owed between them."""
    fluid = where.fields[0].sum() * where.space.volume * where.space.fluid_fraction * MOLECULES
    held = sum(where.contents(batch, batch.state)[0] for batch in where.batches)
    return fluid + held + sum(batch.left.sum() for batch in where.batches)


def state(batch, name):
    """A species of the cells of a batch."""
    return batch.state[:, batch.kind.network.index(name)]
