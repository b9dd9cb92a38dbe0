"""A tissue run: from a settled body to a tissue in space, and its events."""

from collections.abc import Callable, Sequence

import numpy as np

from polycrine.engine.attribution import follow, rows_of, senders_of
from polycrine.engine.cells import Batch, make_batch
from polycrine.engine.chance import PLACE, uniform
from polycrine.engine.life import infect, injure, locate
from polycrine.engine.motion import room_for
from polycrine.engine.stirred import Member, Tolerances
from polycrine.engine.tissue import Bath, Ints, Settings, Tissue, make_tissue
from polycrine.engine.touch import feel
from polycrine.model.events import Infect, Injure, Without
from polycrine.model.model import Model
from polycrine.network.code import Code, compile_network
from polycrine.network.network import Floats, Network, identifier
from polycrine.network.places import count_of_cells, entered, to_stirred
from polycrine.network.schedule import does_not_happen
from polycrine.network.tissue import Kind, Space, to_space
from polycrine.units import CUBIC_MICROMETRE, quantity

FIRST_CELL_STEP = 2.0**-6
TRIES = 200


def settled_tissue(model: Model, network: Network, member: Member, parts: "Parts") -> Tissue:
    """The tissue of a model at rest, its cells where chance puts them.

    network and member: the whole model, stirred, in which everything has settled.
    """
    space, code = parts.space, parts.codes
    place = identifier(space.key)
    start = np.array([member.state[network.index(f"{place}.{identifier(m)}")] for m in space.fluid])
    tissue = make_tissue(space, settings_of(model), model.run.seed, start)
    tissue.bath = _bath(model, parts, network, member)
    for kind in space.kinds:
        state, parameters = _taken_over(kind.network, network, member)
        senders = len(senders_of(space)), len(space.kinds)
        batch = make_batch(kind, code[kind.key], parameters, state, *senders)
        declared = model.cells.get(kind.key)
        if declared is not None and declared.at:
            _put(tissue, batch, declared.at)
        else:
            _scatter(tissue, batch)
        tissue.batches.append(batch)
    for key, cells in model.cells.items():
        if cells.enters is not None and model.body is not None:
            litres = quantity(model.body.whole_blood, "volume")
            tissue.blood_volume = litres / CUBIC_MICROMETRE
            tissue.leukocytes[key] = count_of_cells(model, key)[0]
    tissue.row_of = rows_of(space)
    follow(tissue)
    feel(tissue)
    for event in model.events:
        if isinstance(event, Without) and event.cells is not None:
            if event.without == "entry":
                tissue.leukocytes[event.cells] = 0.0
            else:
                tissue.aimless |= {event.cells}
    return tissue


class Parts:
    """The networks of a model with a tissue, compiled: the stirred places and each kind of cell."""

    def __init__(self, model: Model, say: Callable[[str], None]) -> None:
        self.space: Space = to_space(model)
        self.stirred = to_stirred(model)
        self.code = compile_network(self.stirred, say)
        self.codes: dict[str, Code] = {
            kind.key: compile_network(kind.network, say) for kind in self.space.kinds
        }


def _taken_over(part: Network, whole: Network, member: Member) -> tuple[Floats, Floats]:
    """State and parameters of a part, each by its name from the whole where that has it."""
    state, values = part.initial, part.values
    for k, species in enumerate(part.species):
        if whole.has(species.name) and not species.name.startswith("ledger."):
            state[k] = member.state[whole.index(species.name)]
    names = {p.name: i for i, p in enumerate(whole.parameters)}
    for k, parameter in enumerate(part.parameters):
        if parameter.name in names and not parameter.name.endswith(".pmol"):
            values[k] = member.parameters[names[parameter.name]]
    return state, values


def _bath(model: Model, parts: Parts, whole: Network, member: Member) -> Bath:
    stirred, space = parts.stirred, parts.space
    state, values = _taken_over(stirred, whole, member)
    for k, parameter in enumerate(stirred.parameters):
        if parameter.name.endswith(".pmol"):
            values[k] = parameter.value
    tolerances = Tolerances(model.run.relative_tolerance, model.run.absolute_tolerance)
    place = identifier(space.bath)
    fluid = [identifier(name) for name in space.fluid]
    blood_cells = {}
    for key, cells in model.cells.items():
        if cells.enters is not None:
            kind = next(k for k in space.kinds if k.key == entered(key, cells.enters))
            blood_cells[key] = _same_species(kind, stirred, identifier(key))
    return Bath(
        network=stirred,
        code=parts.code,
        member=Member(0.0, state, values, tolerances.first_step),
        scales=stirred.scales,
        tolerances=tolerances,
        level=np.array([stirred.index(f"{place}.{name}") for name in fluid]),
        inflow=np.array([stirred.parameter_index(f"{place}.{name}.inflow") for name in fluid]),
        blood_cells=blood_cells,
        slope=np.zeros(len(fluid)),
    )


def _same_species(kind: Kind, stirred: Network, own: str) -> tuple[Ints, Ints]:
    here, there = [], []
    for k, species in enumerate(kind.network.species):
        name = f"{own}.{species.name.partition('.')[2]}"
        if stirred.has(name) and not species.name.startswith("ledger."):
            here.append(k)
            there.append(stirred.index(name))
    return np.array(here, dtype=np.int64), np.array(there, dtype=np.int64)


def settings_of(model: Model) -> Settings:
    """The settings of a tissue's steps that a declaration asks for."""
    steps = model.run.steps
    return Settings(
        step=steps.misplaced,
        level=quantity(steps.level, "concentration"),
        coupling=steps.coupling,
        solver=steps.solver,
        relative=steps.relative,
        absolute=steps.absolute,
        longest=quantity(steps.longest, "duration"),
    )


def _put(tissue: Tissue, batch: Batch, points: Sequence[Sequence[str]]) -> None:
    """Put the cells of a kind where the model says (x, y, z)."""
    position = np.array([[quantity(x, "length") for x in point[::-1]] for point in points])
    ids = np.arange(tissue.next_id, tissue.next_id + len(points))
    tissue.next_id += len(points)
    batch.add(ids, position, batch.resting, FIRST_CELL_STEP)
    locate(tissue, batch)


def _scatter(tissue: Tissue, batch: Batch) -> None:
    """Put the cells of a kind at random places, apart from each other where there is room."""
    kind, space = batch.kind, tissue.space
    lengths = np.array(space.shape) * space.voxel
    others = [b for b in tissue.batches if b.count]
    taken = np.concatenate([b.position for b in others]) if others else np.zeros((0, 3))
    radii = np.array([b.kind.radius for b in others for _ in range(b.count)])
    ids = np.arange(tissue.next_id, tissue.next_id + kind.count)
    tissue.next_id += kind.count
    position = np.zeros((kind.count, 3))
    for row, cell in enumerate(ids):
        for attempt in range(TRIES):
            draws = [uniform(tissue.seed, int(cell), attempt, PLACE, axis) for axis in range(3)]
            position[row] = np.array(draws) * lengths
            if space.shape[0] == 1:
                position[row, 0] = lengths[0] / 2
            if room_for(position[row], kind.radius, taken, radii) and room_for(
                position[row], kind.radius, position[:row], np.full(row, kind.radius)
            ):
                break
    batch.add(ids, position, batch.resting, FIRST_CELL_STEP)
    locate(tissue, batch)


def events_at(model: Model, time: float) -> list[Infect | Injure]:
    """What happens to the tissue at a time (min)."""
    found: list[Infect | Injure] = []
    for event in model.events:
        if isinstance(event, Infect):
            here, what = event.infect == model.tissue, "infection"
        elif isinstance(event, Injure):
            here, what = event.injure == model.tissue, "injury"
        else:
            continue
        due = quantity(event.at, "duration") == time
        if here and due and not does_not_happen(model, what):
            found.append(event)
    return found


def happen(tissue: Tissue, model: Model) -> None:
    """Infections and injuries that are due now; parameters that events of the blood have set."""
    for event in events_at(model, tissue.time):
        tissue.step = min(tissue.step, tissue.settings.after_event)
        if isinstance(event, Infect):
            infect(tissue, quantity(event.count, "number"))
        else:
            assert event.radius is not None
            injure(tissue, quantity(event.radius, "length"))
    assert tissue.bath is not None
    values = tissue.bath.member.parameters
    names = {p.name: i for i, p in enumerate(tissue.bath.network.parameters)}
    for batch in tissue.batches:
        for k, parameter in enumerate(batch.kind.network.parameters):
            if (
                parameter.name.endswith((".open", ".unblocked", ".gene"))
                and parameter.name in names
            ):
                batch.parameters[k] = values[names[parameter.name]]
