"""Perturbed copies of published models: polycrine beside libroadrunner, in one run.

    python benchmarks/beside_roadrunner.py FILE.xml=END[,POINTS] ... [--copies 1000]

Every parameter that does not change is multiplied by exp(0.2 N(0, 1)), drawn once, given to both;
rtol 1e-6, atol 1e-9 and outputs are the same (101 of them unless told otherwise), and so is the
number of processes or threads: one per core. Prints seconds, their ratio, steps, and how far each
is from polycrine at rtol 1e-11 (the median over copies of the largest error of any variable, in
units of its maximum). Loading and compiling are not counted. Needs libroadrunner.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polycrine.engine.stirred import Tolerances, sample_many
from polycrine.network.code import compile_network
from polycrine.network.network import Network
from polycrine.network.sbml import SbmlModel, read_sbml
from polycrine.runs.sbml import scaled, table

Floats = NDArray[np.float64]
SPREAD = 0.2
NOMINAL = Tolerances(1e-6, 1e-9, 2.0**-30)
EXACT = Tolerances(1e-11, 1e-14, 2.0**-30)
COMPARED = 20  # copies whose errors are measured


def roadrunner(file: str) -> object:
    """A model in libroadrunner, silent."""
    import roadrunner as rr

    rr.Logger.setLevel(rr.Logger.LOG_FATAL)
    model = rr.RoadRunner(file)
    model.integrator.relative_tolerance = NOMINAL.relative
    model.integrator.absolute_tolerance = NOMINAL.absolute
    return model


def theirs(
    file: str, ids: Sequence[str], draws: Floats, end: float, points: int, selections: Sequence[str]
) -> tuple[float, Floats]:
    """Seconds for all copies, and the concentrations of the first ones."""
    model = roadrunner(file)
    model.timeCourseSelections = list(selections)
    base = [model[own] for own in ids]
    model.simulate(0, end, points)
    kept = []
    began = time.perf_counter()
    for draw in draws:
        model.resetToOrigin()
        for own, value, factor in zip(ids, base, draw, strict=True):
            model[own] = value * factor
        kept.append(np.array(model.simulate(0, end, points)))
    return time.perf_counter() - began, np.array(kept[:COMPARED])


def error(found: Floats, exact: Floats) -> float:
    """The median over copies of the largest error, in units of each species' maximum."""
    most = np.abs(exact).max(axis=1, keepdims=True)
    share = np.abs(found - exact) / np.where(most > NOMINAL.absolute, most, np.inf)
    return float(np.median(share.max(axis=(1, 2))))


def in_units_of_one(network: Network) -> Network:
    """A network whose absolute tolerance is the same number for every variable, as theirs is."""
    species = (replace(s, scale=1.0) if s.scale else s for s in scaled(network).species)
    return replace(network, species=tuple(species))


def shown(model: SbmlModel, parameters: Floats, times: Floats, states: Floats,
          species: Sequence[str]) -> Floats:  # fmt: skip
    """Concentrations of each copy: (copy, time, species)."""
    found = []
    for values, state in zip(parameters, states, strict=True):
        own = (replace(p, value=float(v)) for p, v in
               zip(model.network.parameters, values, strict=True))  # fmt: skip
        network = replace(model.network, parameters=tuple(own))
        copy = replace(model, network=network)
        found.append(table(copy, times, state, amounts=False)[list(species)].to_numpy())
    return np.array(found)


def beside(file: Path, end: float, points: int, copies: int) -> float:
    """Print one model's line; returns the ratio of the times."""
    model = read_sbml(file)
    network = in_units_of_one(model.network)
    code = compile_network(network)
    other = roadrunner(str(file))
    common = set(other.model.getGlobalParameterIds())
    position = {parameter.name: i for i, parameter in enumerate(network.parameters)}
    ids = [q.id for q in model.quantities if q.id in common and q.value in position]
    ids = [own for own in ids if np.isfinite(other[own])]
    seen = [q for q in model.quantities if q.changes and q.kind in ("species", "parameter")]
    selections = [f"[{q.id}]" if q.kind == "species" else q.id for q in seen]
    species = [q.id for q in seen]
    draws = np.exp(SPREAD * np.random.default_rng(1).standard_normal((copies, len(ids))))
    parameters = np.tile(network.values, (copies, 1))
    at = {q.id: position[q.value] for q in model.quantities if q.value in position}
    parameters[:, [at[own] for own in ids]] *= draws
    states = np.tile(network.initial, (copies, 1))
    times = np.linspace(0.0, end, points)
    sample_many(code, network, states[:8], parameters[:8], times, NOMINAL)
    began = time.perf_counter()
    ours = sample_many(code, network, states, parameters, times, NOMINAL)
    seconds = time.perf_counter() - began
    workers = os.cpu_count() or 1
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        parts = [pool.submit(theirs, str(file), ids, part, end, points, selections)
                 for part in np.array_split(draws, workers)]  # fmt: skip
        done = [part.result() for part in parts]
    their_seconds = max(part[0] for part in done)
    few = min(COMPARED, len(done[0][1]))
    exact = sample_many(code, network, states[:few], parameters[:few], times, EXACT)
    truth = shown(model, parameters[:few], times, exact.states, species)
    mine = shown(model, parameters[:few], times, ours.states[:few], species)
    print(
        f"{file.stem:24s} {len(network.species):3d} variables  ours {seconds:7.3f} s, error"
        f" {error(mine, truth):.0e}  theirs {their_seconds:7.3f} s, error"
        f" {error(done[0][1], truth):.0e}  ratio {their_seconds / seconds:5.1f}"
        f"  steps {ours.counts[:, 0].mean():.0f}  failed {np.count_nonzero(ours.status)}",
        flush=True,
    )
    return their_seconds / seconds


def main() -> None:
    """Compare every file, then print the geometric mean."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+", help="FILE.xml=END[,POINTS]")
    parser.add_argument("--copies", type=int, default=1000)
    asked = parser.parse_args()
    ratios = []
    for told in asked.models:
        file, _, run = told.partition("=")
        end, _, points = run.partition(",")
        ratios.append(beside(Path(file), float(end), int(points or 101), asked.copies))
    print(f"geometric mean of {len(ratios)}: {np.exp(np.mean(np.log(ratios))):.2f}")


if __name__ == "__main__":
    main()
