"""One arm of a run with a tissue: how it goes on, what is seen of it, and how it is kept.

What is seen at an observation has the form of the whole network, so that every read-out of stirred
runs reads it: fluids of the tissue are means, cells of a kind are the mean of that kind, and
accounts are those of all that the piece stands for. Fields and cells are kept as pictures besides.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polycrine.engine.cells import ROWS, Batch
from polycrine.engine.coupled import advance
from polycrine.engine.life import locate
from polycrine.engine.reach import Reach, reaches
from polycrine.engine.stirred import Member, threads
from polycrine.engine.tissue import Tissue
from polycrine.model.model import Model
from polycrine.model.observations import Picture
from polycrine.network.builder import LEDGER, OWED
from polycrine.network.network import Floats, Network, identifier
from polycrine.network.schedule import observation_times
from polycrine.network.stops import Stop
from polycrine.runs.tissue import happen
from polycrine.units import MOLECULES_PER_PMOL

SEEN_IN_CELLS = "NFkB"
CELL_COLUMNS = ("id", "kind", "z", "y", "x", "held", SEEN_IN_CELLS)


@dataclass
class Course:
    """A tissue on its way and what was seen of it.

    member: times and states in the form of the whole network; pmol: contents of one unit of each
    species, counts: cells of each kind in the piece, at the same times. At each of `frames` (min)
    a picture of the fields and bacteria (fluid, z, y, x; single precision), rows of cells, and what
    was captured so far (fluid, sender, receiver) and taken in by touch (ligand, sender, receiver).
    reaches: of what cells make, at the end.
    """

    tissue: Tissue
    member: Member
    pmol: list[Floats] = field(default_factory=list)
    counts: list[Floats] = field(default_factory=list)
    frames: list[float] = field(default_factory=list)
    pictures: list[Any] = field(default_factory=list)
    cells: list[Floats] = field(default_factory=list)
    captured: list[Floats] = field(default_factory=list)
    touched: list[Floats] = field(default_factory=list)
    reaches: list[Reach] = field(default_factory=list)


def run_course(
    course: Course, model: Model, network: Network, stops: list[Stop], until: float
) -> None:
    """Advance an arm through its stops up to and including `until`."""
    tissue, member = course.tissue, course.member
    wishes = [wish for wish in model.observe if isinstance(wish, Picture)]
    with ThreadPoolExecutor(threads()) as pool:
        while member.next_stop < len(stops) and stops[member.next_stop].time <= until:
            stop = stops[member.next_stop]
            advance(tissue, stop.time, pool)
            member.time = stop.time
            if stop.observed:
                see(course, network)
                drawn = {
                    t for wish in wishes for t in observation_times(model, -1.0, stop.time, wish)
                }
                if wishes and (stop.time in drawn or stop.time == 0.0):
                    draw(course)
            _act(tissue, stop)
            happen(tissue, model)
            member.next_stop += 1


def conclude(course: Course) -> None:
    """Find how far signals reach, at the end."""
    with ThreadPoolExecutor(threads()) as pool:
        course.reaches = reaches(course.tissue, pool)


def _act(tissue: Tissue, stop: Stop) -> None:
    assert tissue.bath is not None
    for action in stop.actions:
        if action.adds:
            tissue.bath.member.state[action.index] += action.value
        else:
            tissue.bath.member.parameters[action.index] = action.value
        tissue.bath.member.step = tissue.bath.tolerances.first_step
        tissue.bath.slope = np.zeros_like(tissue.bath.slope)
        tissue.step = min(tissue.step, tissue.settings.after_event)


def see(course: Course, network: Network) -> None:
    """Keep what an observer sees now, in the form of the whole network."""
    tissue, space = course.tissue, course.tissue.space
    assert tissue.bath is not None
    state = np.zeros(len(network.species))
    values = network.values
    pmol = [values[network.parameter_index(s.pmol)] if s.pmol else 0.0 for s in network.species]
    per_piece = space.scale / MOLECULES_PER_PMOL
    for k, species in enumerate(tissue.bath.network.species):
        state[network.index(species.name)] = tissue.bath.member.state[k]
    place = identifier(space.key)
    for k, name in enumerate(space.fluid):
        state[network.index(f"{place}.{identifier(name)}")] = tissue.fields[k].mean()
    if space.microbes is not None:
        name = f"{place}.{identifier(space.microbes.key)}"
        state[network.index(name)] = tissue.bacteria.sum() * space.volume
    for batch in tissue.batches:
        past = tissue.past.get(batch.kind.key, np.zeros(batch.state.shape[1]))
        for k, species in enumerate(batch.kind.network.species):
            if species.name.startswith(f"{LEDGER}."):
                total = past[k] + batch.state[:, k].sum()
                state[network.index(species.name)] += total * per_piece
            elif network.has(species.name) and batch.count:
                i = network.index(species.name)
                state[i] = batch.state[:, k].mean()
                pmol[i] = batch.count * per_piece
    books = {**tissue.books, OWED: -owed(tissue)}
    for process, amounts in books.items():
        for k, name in enumerate(space.fluid):
            for molecule, count in _contents(network, f"{place}.{identifier(name)}"):
                account = f"{LEDGER}.{identifier(molecule)}.{identifier(process)}"
                state[network.index(account)] += count * amounts[k] * per_piece
    course.member.times.append(tissue.time)
    course.member.states.append(state)
    course.pmol.append(np.array(pmol))
    course.counts.append(np.array([float(batch.count) for batch in tissue.batches]))


def owed(tissue: Tissue) -> Floats:
    """Molecules that cells have given and fields have not yet received, by fluid."""
    total = np.zeros(len(tissue.space.fluid))
    for batch in tissue.batches:
        total[batch.kind.ports.molecule] += batch.left.sum(axis=0)
    return total


def _contents(network: Network, species: str) -> tuple[tuple[str, int], ...]:
    return network.species[network.index(species)].contents


def draw(course: Course) -> None:
    """Keep a picture of fields and cells."""
    tissue = course.tissue
    bacteria = tissue.bacteria[None] * tissue.space.volume
    rows = [_rows(k, batch) for k, batch in enumerate(tissue.batches)]
    course.frames.append(tissue.time)
    course.pictures.append(np.concatenate([tissue.fields, bacteria]).astype(np.float32))
    course.cells.append(np.concatenate(rows))
    course.captured.append(tissue.captured.copy())
    course.touched.append(tissue.touched.copy())


def _rows(kind: int, batch: Batch) -> Floats:
    name = f"{identifier(batch.kind.key)}.{SEEN_IN_CELLS}"
    seen = np.full(batch.count, np.nan)
    if batch.kind.network.has(name):
        seen = batch.state[:, batch.kind.network.index(name)]
    own = (batch.ids, np.full(batch.count, kind), *batch.position.T, batch.held, seen)
    return np.column_stack([np.asarray(column, dtype=np.float64) for column in own])


SCALARS = ("time", "step", "next_id")
FIELDS = ("fields", "bacteria", "torn", "tags", "captured", "touched")
BATH = ("time", "state", "parameters", "step", "counts")


def pack(course: Course) -> dict[str, Any]:
    """Everything that decides how an arm goes on, and all that was seen, as arrays by name."""
    tissue, member = course.tissue, course.member
    assert tissue.bath is not None
    kept = {name: np.array(getattr(tissue, name)) for name in (*SCALARS, *FIELDS)}
    for k, batch in enumerate(tissue.batches):
        kept |= {f"cells.{k}.{name}": getattr(batch, name) for name in ROWS}
        kept[f"cells.{k}.parameters"] = batch.parameters
        kept[f"cells.{k}.spell"] = np.array(batch.spell)
    kept |= {f"bath.{name}": np.array(getattr(tissue.bath.member, name)) for name in BATH}
    kept["slope"] = tissue.bath.slope
    for name in ("leukocytes", "log", "books", "past"):
        kept |= {f"{name}.{key}": np.array(value) for key, value in getattr(tissue, name).items()}
    kept |= {"seen.times": np.array(member.times), "seen.states": np.array(member.states)}
    for name in ("pmol", "counts", "frames", "pictures", "captured", "touched"):
        kept[f"seen.{name}"] = np.array(getattr(course, name))
    kept["seen.cells"] = np.concatenate([*course.cells, np.zeros((0, len(CELL_COLUMNS)))])
    kept["seen.rows"] = np.array([len(rows) for rows in course.cells], dtype=np.int64)
    return kept


def unpack(course: Course, kept: dict[str, Any]) -> None:
    """Bring an arm to where `pack` found it."""
    tissue, member = course.tissue, course.member
    assert tissue.bath is not None
    for name in SCALARS:
        setattr(tissue, name, kept[name].item())
    for name in FIELDS:
        setattr(tissue, name, kept[name])
    for k, batch in enumerate(tissue.batches):
        for name in (*ROWS, "parameters"):
            setattr(batch, name, kept[f"cells.{k}.{name}"])
        batch.spell = kept[f"cells.{k}.spell"].item()
        locate(tissue, batch)
    for name in BATH:
        value = kept[f"bath.{name}"]
        setattr(tissue.bath.member, name, value if value.ndim else value.item())
    tissue.bath.slope = kept["slope"]
    for name in ("leukocytes", "log", "books", "past"):
        own = {k.partition(".")[2]: v for k, v in kept.items() if k.startswith(f"{name}.")}
        setattr(tissue, name, {k: v if v.ndim else v.item() for k, v in own.items()})
    member.time = tissue.time
    member.times, member.states = kept["seen.times"].tolist(), list(kept["seen.states"])
    course.pmol, course.counts = list(kept["seen.pmol"]), list(kept["seen.counts"])
    course.frames, course.pictures = kept["seen.frames"].tolist(), list(kept["seen.pictures"])
    course.captured, course.touched = list(kept["seen.captured"]), list(kept["seen.touched"])
    edges = np.cumsum(kept["seen.rows"])[:-1]
    course.cells = np.split(kept["seen.cells"], edges) if course.frames else []
