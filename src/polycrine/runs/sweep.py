"""A sweep: every member of a plan once, in pieces that are kept as they are done.

A member is a patient (or a point of a sensitivity sample) at a point of the grid in an arm. Pieces
hold whole patients; what a piece holds depends on the plan alone, so that a sweep that was cut off
goes on with the pieces that are missing, and each member has the bits that it would have had.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from polycrine.catalogue.library import catalogue
from polycrine.catalogue.yamltext import Document
from polycrine.engine.batch import Who, run_many
from polycrine.engine.status import DONE
from polycrine.engine.stirred import Tolerances
from polycrine.errors import wrong
from polycrine.model.model import Model
from polycrine.model.observations import Panel
from polycrine.model.plan import Plan
from polycrine.model.yamlfile import write_model
from polycrine.network.code import Code, compile_network
from polycrine.network.network import Floats, Network, Value, identifier
from polycrine.network.places import to_batch
from polycrine.network.schedule import make_schedule
from polycrine.network.stops import Stop
from polycrine.results.sweep import FORMAT, Sweep, has_shard, keep_shard, load_sweep, shard, shards
from polycrine.runs.cohort import cohort_table
from polycrine.runs.health import settled_many
from polycrine.runs.indices import indices_table
from polycrine.runs.layout import Layout, lay_out, weights_of
from polycrine.runs.members import ELSEWHERE, IMPOSSIBLE, bands_table, column, members_table
from polycrine.runs.patients import People, draw, quantiles
from polycrine.runs.run import Stopped, Watch, partial_of
from polycrine.runs.tables import see_inside
from polycrine.units import express, quantity, ratio


def sweep(
    plan: Plan,
    model: Model,
    out: Path,
    *,
    document: Document | None = None,
    watch: Watch | None = None,
) -> Sweep:
    """Run what is missing of a plan, and put its tables together in the folder `out`.

    out: `OUT.partial` until all is there; where that exists from the same plan, it is carried on.
    Raises InputError for a plan that does not fit its model, Stopped when `watch` says so.
    """
    layout, watch = lay_out(plan, model, document or Document("plan", None, {})), watch or Watch()
    partial = partial_of(out)
    if _begin(layout, out, partial):
        return load_sweep(out)
    code = compile_network(layout.network, lambda text: watch.report(0.0, text))
    plausible = 0
    for first in range(0, layout.most, layout.piece):
        who = range(first, min(first + layout.piece, layout.most))
        if not has_shard(partial, first):
            keep_shard(partial, first, run_piece(layout, code, who))
        plausible += int(shard(partial, first)["plausible"].sum())
        share = min(1.0, plausible / layout.wanted)
        watch.report(share, f"{plausible} of {layout.wanted}")
        if plausible >= layout.wanted:
            break
        if watch.stopping():
            raise Stopped(f"stopped at {plausible} of {layout.wanted}; the same command goes on")
    return conclude(layout, partial, out)


def new_sweep_folder(plan: Plan, model: Model) -> Path:
    """`sweeps/<name>-<hash8>`: of the same plan and model always the same, so that it goes on."""
    digest = hashlib.sha256(_told(plan, model).encode()).hexdigest()[:8]
    return Path("sweeps") / f"{identifier(plan.sweep)}-{digest}"


def _told(plan: Plan, model: Model) -> str:
    """What a sweep was asked for, which must be the same when it goes on."""
    told = {
        "format": FORMAT,
        "plan": plan.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "model": write_model(model),
        "polycrine": version("polycrine"),
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def _begin(layout: Layout, out: Path, partial: Path) -> bool:
    """Make the folder of a sweep, or see that what is there is of the same one; whether `out` is
    there already, finished."""
    text = _told(layout.plan, layout.model)
    for folder in (out, partial):
        known = folder / "asked.json"
        if folder.exists() and not (known.is_file() and known.read_text("utf-8") == text):
            rule = "this folder holds something else, or a sweep of another plan, model or version."
            raise wrong(str(folder), rule, "Name another one with --out.")
    if out.exists():
        return True
    (partial / "members").mkdir(parents=True, exist_ok=True)
    scratch = partial / "asked.tmp"
    scratch.write_text(text, "utf-8")
    scratch.replace(partial / "asked.json")
    return False


def run_piece(layout: Layout, code: Code, who: range) -> dict[str, Any]:
    """The members of some patients: levels (member, analyte, time), status, the last good time
    (min), steps, factors by path, covariates, and which patients are plausible."""
    plan, arms, inner = layout.plan, layout.arms, len(layout.inner)
    people = _people(layout, who)
    varied = {path: np.repeat(factor, inner) for path, factor in people.factors.items()}
    points = layout.inner * len(who)
    if not (plan.patients or plan.indices):
        points = tuple(layout.grid[k] for k in who)
    for k, path in enumerate(plan.grid):
        given = np.array([ratio(point[k], layout.base[path]) for point in points])
        varied[path] = varied.get(path, 1.0) * given
    n, size = len(points), (len(layout.analytes), len(layout.times))
    levels, status = np.full((n, len(arms), *size), np.nan), np.full((n, len(arms)), ELSEWHERE)
    reached, counts = np.zeros((n, len(arms))), np.zeros((n, len(arms), 2))
    for k, arm in enumerate(arms):
        mine = (
            np.arange(n) if plan.cohort is None else np.flatnonzero(np.array(who) % len(arms) == k)
        )
        own = {path: factor[mine] for path, factor in varied.items()}
        done = _run_arm(layout, arm, code, own, len(mine))
        levels[mine, k], status[mine, k], reached[mine, k], counts[mine, k] = done
    levels[status != DONE] = np.nan
    first = np.arange(len(who)) * inner
    own_arm = np.array(who) % len(arms) if plan.cohort else np.zeros(len(who), dtype=int)
    fine = status[first, own_arm] == DONE
    plausible = fine & _accepted(layout, levels[first, own_arm])
    whole = {
        "levels": levels.reshape(-1, *levels.shape[2:]).astype(np.float32),
        "status": status.reshape(-1),
        "reached": reached.reshape(-1),
        "counts": counts.reshape(-1, 2).astype(np.int64),
        "plausible": plausible if plan.patients else np.ones(len(who), dtype=bool),
    }
    whole |= {f"covariate {name}": column for name, column in people.covariates.items()}
    return whole | {f"factor {path}": people.factors[path] for path in plan.varied}


def _people(layout: Layout, who: range) -> People:
    plan = layout.plan
    if plan.patients is not None:
        return draw(plan.patients, layout.model, plan.seed, who, layout.base)
    if plan.indices is not None and layout.points is not None:
        return quantiles(plan.indices, layout.points[who.start : who.stop], layout.base)
    return People({}, {})


def _run_arm(
    layout: Layout, arm: str, code: Code, varied: Mapping[str, Floats], n: int
) -> tuple[Floats, Any, Floats, Floats]:
    """Levels, status, last good time and steps of the n members of an arm."""
    plan, model = layout.plan, layout.model.with_arm(arm)
    tolerances = Tolerances(plan.relative_tolerance, plan.absolute_tolerance)
    network, impossible = to_batch(layout.model, varied)
    impossible = np.broadcast_to(impossible, n)
    states, parameters, status, made = settled_many(model, network, n, code, tolerances)
    status[impossible | made] = IMPOSSIBLE
    able = np.flatnonzero(status == DONE)
    stops = make_schedule(model, network, None, float(layout.times[-1]), varied)
    kept, weights = weights_of(layout, network)
    own = states[able], parameters[able], _of(stops, able)
    done = run_many(code, network, *own, layout.times, kept, tolerances)
    status[able] = done.status
    levels = np.full((n, len(layout.analytes), len(layout.times)), np.nan)
    reached, counts = np.zeros(n), np.zeros((n, 2))
    reached[able], counts[able] = done.reached, done.counts
    for k, analyte in enumerate(layout.analytes):
        if isinstance(analyte.wish, Panel):
            seen = np.zeros(done.states.shape[:2])
            for j in np.flatnonzero(weights[k]):
                seen += weights[k, j] * done.states[:, :, j]
        else:
            seen = see_inside(analyte.wish, _members(network, able), done.states)
        levels[able, k] = seen
    return levels, status, reached, counts


def _of(stops: list[Stop], able: Who) -> list[Stop]:
    """The stops of some members of a batch."""
    return [
        replace(stop, actions=tuple(replace(a, value=_own(a.value, able)) for a in stop.actions))
        for stop in stops
    ]


def _members(network: Network, able: Who) -> Network:
    """The network with the values of some members of a batch."""
    parameters = (replace(p, value=_own(p.value, able)) for p in network.parameters)
    return replace(network, parameters=tuple(parameters))


def _own(value: Value, able: Who) -> Value:
    return value[able] if isinstance(value, np.ndarray) and value.ndim else value


def _accepted(layout: Layout, levels: Floats) -> Any:
    """Which patients are plausible: levels (patient, analyte, time) of their first member."""
    fine, known = np.ones(len(levels), dtype=bool), catalogue()
    labels = [analyte.label for analyte in layout.analytes]
    for accept in layout.plan.patients.accept if layout.plan.patients else ():
        course = levels[:, labels.index(f"{accept.of} in {accept.panel}")]
        seen = {"start": course[:, 0], "peak": course.max(axis=1), "end": course[:, -1]}
        form, unit = known.active_form(accept.of), known.molecules[accept.of].panel_unit
        for text, sign in ((accept.low, 1), (accept.high, -1)):
            if text is not None:
                limit = express(quantity(text, "concentration", form), unit, form)
                fine &= sign * seen[accept.value] >= sign * limit
    return fine


def conclude(layout: Layout, partial: Path, out: Path) -> Sweep:
    """Put together the tables of a sweep whose members are all there."""
    pieces = [arrays for _, arrays in shards(partial)]
    kept = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    table = members_table(layout, kept)
    table.to_csv(partial / "members.csv", index=False)
    bands_table(layout, kept["levels"], table).to_csv(partial / "bands.csv", index=False)
    if layout.plan.cohort is not None:
        cohort = cohort_table(layout, kept["levels"], table)
        cohort.to_csv(partial / "cohort.csv", index=False, float_format="%.4g")
    if layout.plan.indices is not None:
        outcomes = [column(a, of) for a in layout.analytes for of in ("peak", "area")]
        plan, points = layout.plan, layout.points
        assert points is not None
        found = indices_table(layout.plan.indices, plan.seed, points, outcomes, table)
        found.to_csv(partial / "indices.csv", index=False)
    info = {
        "format": FORMAT,
        "name": layout.plan.sweep,
        "versions": {name: version(name) for name in ("polycrine", "numpy", "numba")},
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": layout.plan.seed,
        "arms": list(layout.arms),
        "grid": list(layout.plan.grid),
        "analytes": [analyte.label for analyte in layout.analytes],
        "units": [analyte.unit for analyte in layout.analytes],
        "time_h": (layout.times / 60).tolist(),
        "members": len(table),
        "status": table.status.value_counts().to_dict(),
    }
    (partial / "sweep.json").write_text(json.dumps(info, indent=2, ensure_ascii=False), "utf-8")
    partial.rename(out)
    return load_sweep(out)
