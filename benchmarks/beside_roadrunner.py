"""Perturbed copies of published models: polycrine beside libroadrunner, in one run.

    python benchmarks/beside_roadrunner.py FILE.xml=END[,POINTS] ... [--copies 1000]

Every parameter that does not change is multiplied by exp(0.2 N(0, 1)), drawn once, given to both;
rtol 1e-6, atol 1e-9 and outputs are the same (101 of them unless told otherwise), and so is the
number of processes or threads: one per core. Prints seconds, their ratio, steps, and how far each
is from polycrine at rtol 1e-11 (the median over copies of the largest error of any variable, in
units of its maximum); then the ratio where ours takes the loosest tolerances at which its error is
not larger than theirs. Loading and compiling are not counted. Needs libroadrunner.
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

from polycrine.engine.batch import Sampled, sample_many
from polycrine.engine.stirred import Tolerances
from polycrine.network.code import compile_network
from polycrine.network.network import Network
from polycrine.network.sbml import SbmlModel, read_sbml
from polycrine.runs.sbml import scaled, table

Floats = NDArray[np.float64]
SPREAD = 0.2
NOMINAL = Tolerances(1e-6, 1e-9, 2.0**-30)
EXACT = Tolerances(1e-11, 1e-14, 2.0**-30)
LOOSE = tuple(10.0 ** (-3 - k / 8) for k in range(33))  # 1e-3 to 1e-7
REPEATS = 5  # of ours, which are short; their median counts
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
    return float(np.median(np.nanmax(share, axis=(1, 2))))


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


def beside(file: Path, end: float, points: int, copies: int) -> tuple[float, float]:
    """Print one model's line; returns the ratio of the times, and that at equal error."""
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

    def run(tolerances: Tolerances) -> tuple[float, Sampled]:
        spans = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            found = sample_many(code, network, states, parameters, times, tolerances)
            spans.append(time.perf_counter() - began)
        return float(np.median(spans)), found

    seconds, ours = run(NOMINAL)
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

    def error_of(found: Sampled) -> float:
        return error(shown(model, parameters[:few], times, found.states[:few], species), truth)

    their_error = error(done[0][1], truth)
    for rtol in LOOSE:
        loose = Tolerances(rtol, rtol * NOMINAL.absolute / NOMINAL.relative, NOMINAL.first_step)
        equal_seconds, found = run(loose)
        if error_of(found) <= their_error:
            break
    steps, failed = ours.counts[:, 0].mean(), np.count_nonzero(ours.status)
    told = (
        f"{file.stem:24s} {len(network.species):3d} variables, {steps:.0f} steps, {failed} failed;",
        f"ours {seconds:.3f} s, error {error_of(ours):.0e};",
        f"theirs {their_seconds:.3f} s, error {their_error:.0e};",
        f"ratio {their_seconds / seconds:.1f},",
        f"at equal error {their_seconds / equal_seconds:.1f} (rtol {rtol:.0e})",
    )
    print(*told, flush=True)
    return their_seconds / seconds, their_seconds / equal_seconds


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
    nominal, equal = np.exp(np.mean(np.log(ratios), axis=0))
    print(f"geometric mean of {len(ratios)}: {nominal:.2f}; at equal error {equal:.2f}")


if __name__ == "__main__":
    main()
