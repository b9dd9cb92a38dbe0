"""One run of a declaration: prepare, settle, let time pass with checkpoints, tabulate."""

from __future__ import annotations

import hashlib
import json
import time as clock
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polycrine.engine.rosenbrock import ACCEPTED, DONE, REJECTED
from polycrine.engine.stirred import Member, Tolerances, run_stops, settle
from polycrine.errors import InputError, NumericsError, PolycrineError, Problem, nearest
from polycrine.model.model import Model
from polycrine.model.yamlfile import read_model, write_model
from polycrine.network.builder import LEDGER
from polycrine.network.code import Code, compile_network
from polycrine.network.network import Floats, Network, identifier
from polycrine.network.places import REST, held_species, to_network
from polycrine.network.schedule import knocked_out, make_schedule, observation_times
from polycrine.results.run import Run
from polycrine.runs.tables import dataset, tables
from polycrine.units import quantity

UNTREATED = "untreated"
CHUNKS = 60
CHECKPOINT_S = 10.0
Report = Callable[[float, str], None]


class Stopped(PolycrineError):
    """A run that was asked to stop; what was done lies in a checkpoint."""

    exit_code = 130


@dataclass
class Progressing:
    """A run under way: where each arm stands, and what was observed so far."""

    model: Model
    arms: tuple[str | None, ...]
    networks: list[Network]
    code: Code
    members: list[Member]
    times: list[float] = field(default_factory=list)
    states: list[list[Floats]] = field(default_factory=list)

    @property
    def samples(self) -> list[str]:
        """The names of the arms."""
        return [arm or UNTREATED for arm in self.arms]


def run(
    model: Model, arm: str | Sequence[str] | None = None, *, seed: int | None = None,
    duration: str | None = None, out: Path | None = None, report: Report = lambda _, __: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Run:  # fmt: skip
    """Run a declaration, one arm of it, several (drawn together) or `all` of them.

    out: folder that is written (it must not exist); without it nothing is stored. Raises
    InputError for an unknown arm, NumericsError when an integration fails, Stopped when
    `stopping` says so: then OUT.partial holds a checkpoint.
    """
    settings = {"duration": duration} if duration else {}
    if seed is not None:
        settings["seed"] = str(seed)
    if settings:
        fields = model.run.model_dump() | settings
        model = model.model_copy(update={"run": type(model.run).model_validate(fields)})
    end_time(model)
    if out is not None and (out.exists() or partial_of(out).exists()):
        raise InputError([Problem(str(out), "this folder is already there; nothing is overwritten.",
                                  "Name another one, or resume it.")])  # fmt: skip
    under_way = prepare(model, choose_arms(model, arm), report)
    return advance(under_way, out, report, stopping)


def choose_arms(model: Model, arm: str | Sequence[str] | None) -> tuple[str | None, ...]:
    """The arms to run; `all` means the untreated one and every named arm."""
    if arm is None:
        return (None,)
    wanted = [arm] if isinstance(arm, str) else list(arm)
    if wanted == ["all"]:
        return (None, *model.arms)
    for name in wanted:
        if name not in (*model.arms, UNTREATED):
            raise InputError([Problem(f"--arm {name}", f"the model has no arm '{name}'.",
                                      nearest(name, ["all", *model.arms]))])  # fmt: skip
    return tuple(None if name == UNTREATED else name for name in wanted)


def end_time(model: Model) -> float:
    """The run's end in min; raises InputError when nothing is observed there."""
    end = quantity(model.run.duration, "duration")
    seen = observation_times(model, 0.0, end)
    if not seen or seen[-1] != end:
        every = min(quantity(wish.every, "duration") for wish in model.observe)
        near = max(every, round(end / every) * every)
        raise InputError([Problem("run.for", f"'{model.run.duration}' ends between observations;"
            " a run ends at one.", f"Write '{near:g} min'.")])  # fmt: skip
    return end


def prepare(model: Model, arms: tuple[str | None, ...], report: Report) -> Progressing:
    """Equations, machine code and settled cells of every arm."""
    networks = [to_network(model.with_arm(arm)) for arm in arms]
    code = compile_network(networks[0], lambda text: report(0.0, text))
    report(0.0, "letting the healthy cells settle")
    members = [settled(model.with_arm(arm), network, code)
               for arm, network in zip(arms, networks, strict=True)]  # fmt: skip
    return Progressing(model, arms, networks, code, members, states=[[] for _ in arms])


def settled(model: Model, network: Network, code: Code) -> Member:
    """A member at rest in healthy fluids, with what the rest of the body makes to keep them so.

    Raises InputError when cells at rest make more of a molecule than is cleared.
    """
    parameters = network.values
    for molecule in knocked_out(model):
        parameters[network.parameter_index(f"{identifier(molecule)}.gene")] = 0.0
    tolerances = tolerances_of(model)
    member = Member(0.0, network.initial, parameters, tolerances.first_step)
    held = held_species(model)
    mask = np.zeros(member.state.size)
    mask[[network.index(name) for name in held.values()]] = 1.0
    duration = quantity(model.run.settle, "duration")
    rates = settle(code, member, mask, network.scales, tolerances, duration)
    if member.status != DONE:
        raise NumericsError(f"while the cells settled: {member.message}")
    if model.plasma is not None:
        _let_rest_of_body_make(model, network, member, rates)
    for k, species in enumerate(network.species):
        if species.name.startswith(f"{LEDGER}."):
            member.state[k] = 0.0
    return member


def _let_rest_of_body_make(model: Model, network: Network, member: Member, rates: Floats) -> None:
    plasma = identifier(str(model.plasma))
    volume = member.parameters[network.parameter_index(f"{plasma}.volume")]
    problems = []
    for molecule in model.molecules:
        if molecule in knocked_out(model):
            continue
        made = -rates[network.index(f"{plasma}.{identifier(molecule)}")] * volume
        if made < 0:
            problems.append(Problem(f"{molecule}.healthy_plasma", f"cells at rest make {-made:.3g}"
                f" pmol/min more {molecule} than is cleared at the healthy level.",
                "Lower what they make at rest, or mend the level or the clearance."))  # fmt: skip
        member.parameters[network.parameter_index(f"{identifier(molecule)}.{REST}")] = made
    if problems:
        raise InputError(problems)


def tolerances_of(model: Model) -> Tolerances:
    """The tolerances that a declaration asks for."""
    return Tolerances(model.run.relative_tolerance, model.run.absolute_tolerance)


def advance(
    under_way: Progressing, out: Path | None, report: Report, stopping: Callable[[], bool],
    parent: str | None = None,
) -> Run:  # fmt: skip
    """Let time pass to the end of the declaration, then tabulate and store."""
    model, start = under_way.model, under_way.members[0].time
    end, began = end_time(model), clock.monotonic()
    partial = partial_of(out) if out is not None else None
    if partial is not None and not partial.exists():
        (partial / "checkpoints").mkdir(parents=True)
        (partial / "model.resolved.yaml").write_text(write_model(model), "utf-8")
    _log(partial, "started", arms=under_way.samples, at_h=start / 60, to_h=end / 60)
    schedules = [make_schedule(model.with_arm(arm), network, start, end)
                 for arm, network in zip(under_way.arms, under_way.networks, strict=True)]  # fmt: skip
    for member in under_way.members:
        member.next_stop = 0

    def keep(k: int, time: float, state: Floats) -> None:
        if k == 0:
            under_way.times.append(time)
        under_way.states[k].append(state)

    scales, last_saved = under_way.networks[0].scales, clock.monotonic()
    for until in np.linspace(start, end, CHUNKS + 1)[1:]:
        run_stops(under_way.code, under_way.members, schedules, scales, tolerances_of(model),
                  end if until == end else float(until), keep)  # fmt: skip
        _raise_failures(under_way)
        report((until - start) / (end - start), f"{until / 60:.1f} of {end / 60:g} h")
        asked = stopping()
        if partial is not None and (asked or clock.monotonic() - last_saved > CHECKPOINT_S):
            save_checkpoint(under_way, partial / "checkpoints")
            last_saved = clock.monotonic()
        if asked and until < end:
            _log(partial, "stopped", at_h=under_way.times[-1] / 60)
            raise Stopped(f"stopped at {under_way.times[-1] / 60:.2f} h"
                          + (f"; go on with: polycrine resume '{partial}'" if partial else ""))  # fmt: skip
    finished = _result(under_way, clock.monotonic() - began, parent)
    if partial is None:
        return finished
    save_checkpoint(under_way, partial / "checkpoints")
    _log(partial, "finished", seconds=finished.info["seconds"], steps=finished.info["steps"])
    (partial / "figures").mkdir(exist_ok=True)
    (partial / "model.resolved.yaml").unlink()
    finished.save(partial)
    assert out is not None
    partial.rename(out)
    return Run(finished.info, finished.model_text, finished.states, finished.tables, out)


def _log(partial: Path | None, event: str, **facts: object) -> None:
    if partial is not None:
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts}
        with (partial / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")


def _raise_failures(under_way: Progressing) -> None:
    failed = [f"{sample}: at {member.time / 60:.3f} h it {member.message}"
              for sample, member in zip(under_way.samples, under_way.members, strict=True)
              if member.status != DONE]  # fmt: skip
    if failed:
        raise NumericsError("\n".join(failed))


def _result(under_way: Progressing, seconds: float, parent: str | None) -> Run:
    model = under_way.model
    states = dataset(under_way.networks, under_way.samples, under_way.times, under_way.states)
    info = {
        "name": model.name,
        "status": "done",
        "polycrine": version("polycrine"),
        "numpy": version("numpy"),
        "numba": version("numba"),
        "seed": model.run.seed,
        "device": "cpu",
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "arms": under_way.samples,
        "parent": parent,
        "equations": under_way.networks[0].digest[:8],
        "steps": {sample: {"accepted": int(member.counts[ACCEPTED]),
                           "rejected": int(member.counts[REJECTED]), "status": member.message}
                  for sample, member in zip(under_way.samples, under_way.members, strict=True)},
    }  # fmt: skip
    return Run(info, write_model(model), states, tables(model, under_way.networks[0], states))


def new_folder(model: Model, arms: Sequence[str | None]) -> Path:
    """`runs/<name>-<UTC>-<hash8>`, the hash that of the declaration, its arms and the version."""
    text = write_model(model) + repr(arms) + version("polycrine")
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = Path("runs") / f"{identifier(model.name)}-{stamp}-{digest}"
    tries = 1
    while folder.exists() or partial_of(folder).exists():
        tries += 1
        folder = Path("runs") / f"{identifier(model.name)}-{stamp}-{digest}-{tries}"
    return folder


def partial_of(folder: Path) -> Path:
    """Where a run is kept until it is finished."""
    return folder.with_name(f"{folder.name}.partial")


def save_checkpoint(under_way: Progressing, folder: Path) -> None:
    """Everything that decides how the run goes on, and all that was observed so far."""
    members = under_way.members
    scratch = folder / "writing.npz"
    np.savez_compressed(
        scratch,
        samples=np.array(under_way.samples),
        time=np.array([member.time for member in members]),
        step=np.array([member.step for member in members]),
        counts=np.array([member.counts for member in members]),
        state=np.array([member.state for member in members]),
        parameters=np.array([member.parameters for member in members]),
        times=np.array(under_way.times),
        states=np.array(under_way.states),
    )
    scratch.replace(folder / "latest.npz")


def resume(
    folder: Path, duration: str | None = None, out: Path | None = None,
    report: Report = lambda _, __: None, stopping: Callable[[], bool] = lambda: False,
) -> Run:  # fmt: skip
    """Finish an interrupted run in place, or carry a finished one on to a longer duration.

    Carrying on writes a new folder that names its parent. The numbers are the same, bit for bit,
    as those of one run. Raises InputError when there is nothing to resume.
    """
    unfinished = folder.name.endswith(".partial")
    stored = folder / "checkpoints" / "latest.npz"
    if not stored.is_file():
        raise InputError([Problem(str(folder), "there is no checkpoint here.",
                                  "Name the folder of a run, or NAME.partial.")])  # fmt: skip
    model = read_model((folder / "model.resolved.yaml").read_text("utf-8"), "model.resolved.yaml")
    if duration is not None:
        fields = model.run.model_dump() | {"duration": duration}
        model = model.model_copy(update={"run": type(model.run).model_validate(fields)})
    with np.load(stored, allow_pickle=False) as checkpoint:
        under_way = _restore(model, dict(checkpoint), report)
    if end_time(model) <= under_way.members[0].time and not unfinished:
        raise InputError([Problem(str(folder), "this run is finished.",
            f"Name a longer duration than {under_way.members[0].time / 60:g} h with --for.")])  # fmt: skip
    if unfinished:
        target = folder.with_name(folder.name.removesuffix(".partial"))
        return advance(under_way, target, report, stopping)
    target = out or new_folder(model, under_way.arms)
    return advance(under_way, target, report, stopping, parent=folder.name)


def _restore(
    model: Model, checkpoint: dict[str, NDArray[np.generic]], report: Report
) -> Progressing:
    samples = [str(name) for name in checkpoint["samples"]]
    arms = tuple(None if name == UNTREATED else name for name in samples)
    networks = [to_network(model.with_arm(arm)) for arm in arms]
    code = compile_network(networks[0], lambda text: report(0.0, text))
    numbers = {key: np.asarray(value, dtype=np.float64) for key, value in checkpoint.items()
               if key != "samples"}  # fmt: skip
    members = [
        Member(float(numbers["time"][k]), numbers["state"][k].copy(),
               numbers["parameters"][k].copy(), float(numbers["step"][k]),
               counts=numbers["counts"][k].copy())
        for k in range(len(arms))
    ]  # fmt: skip
    states = [list(numbers["states"][k]) for k in range(len(arms))]
    return Progressing(model, arms, networks, code, members, numbers["times"].tolist(), states)
