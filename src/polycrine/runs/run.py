"""One run of a declaration: prepare, settle, let time pass with checkpoints, tabulate."""

import hashlib
import json
import time as clock
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from polycrine.engine.status import DONE
from polycrine.engine.stirred import Member, run_stops
from polycrine.errors import NumericsError, PolycrineError, nearest, wrong
from polycrine.model.checks import check_model
from polycrine.model.model import Model
from polycrine.model.observations import UNTREATED
from polycrine.model.yamlfile import read_model, write_model
from polycrine.network.code import Code, compile_network
from polycrine.network.network import Network, identifier
from polycrine.network.places import to_network
from polycrine.network.schedule import make_schedule, observation_times
from polycrine.network.stops import Stop
from polycrine.results.run import Run
from polycrine.runs.course import Course, conclude, pack, run_course, unpack
from polycrine.runs.health import settled, tolerances_of
from polycrine.runs.tables import dataset, pictures, tables, tissue_tables
from polycrine.runs.tissue import Parts, settled_tissue
from polycrine.units import quantity

CHUNKS = 60
CHECKPOINT_S = 10.0
KEPT = ("time", "state", "parameters", "step", "counts", "times", "states")


@dataclass(frozen=True)
class Watch:
    """Who looks on: `report` gets the share done and a sentence, `stopping` asks to stop."""

    report: Callable[[float, str], None] = lambda share, text: None
    stopping: Callable[[], bool] = lambda: False


class Stopped(PolycrineError):
    """A run that was asked to stop; what was done lies in a checkpoint."""

    exit_code = 130


@dataclass
class UnderWay:
    """A run on its way: one network, and where each arm stands.

    parts and courses: of a model with a tissue; its members then hold what is seen of the arms.
    """

    model: Model
    network: Network
    code: Code
    members: dict[str, Member]
    parts: Parts | None = None
    courses: dict[str, Course] = field(default_factory=dict)

    @property
    def time(self) -> float:
        """The time (min) that every arm has reached."""
        return min(member.time for member in self.members.values())


def run(
    model: Model,
    arm: str | Sequence[str] | None = None,
    *,
    seed: int | None = None,
    duration: str | None = None,
    out: Path | None = None,
    watch: Watch = Watch(),
) -> Run:
    """Run a declaration, one arm of it, several (drawn together) or `all` of them.

    out: folder that is written (it must not exist); without it nothing is stored. Raises
    InputError for an unknown arm, NumericsError when an integration fails, Stopped when
    `watch` says so: then OUT.partial holds a checkpoint.
    """
    check_model(model)
    model = model.with_run(duration=duration, seed=seed)
    end_time(model)
    samples = choose_samples(model, arm)
    _refuse_to_overwrite(out)
    return advance(prepare(model, samples, watch), out, watch)


def choose_samples(model: Model, arm: str | Sequence[str] | None) -> list[str]:
    """The arms to run by name; `all` means the untreated one and every named arm."""
    wanted = [arm or UNTREATED] if arm is None or isinstance(arm, str) else list(arm)
    if wanted == ["all"]:
        return [UNTREATED, *model.arms]
    for name in wanted:
        if name not in (UNTREATED, *model.arms):
            instead = nearest(name, ["all", *model.arms])
            raise wrong(f"--arm {name}", f"the model has no arm '{name}'.", instead)
    return wanted


def end_time(model: Model) -> float:
    """The run's end in min; raises InputError when nothing is observed there."""
    end = quantity(model.run.duration, "duration")
    if end not in observation_times(model, 0.0, end)[-1:]:
        every = min(quantity(wish.every, "duration") for wish in model.observe)
        near = max(every, round(end / every) * every)
        rule = f"'{model.run.duration}' ends between observations; a run ends at one."
        raise wrong("run.for", rule, f"Write '{near:g} min'.")
    return end


def prepare(model: Model, samples: list[str], watch: Watch) -> UnderWay:
    """Equations and machine code, and the settled cells of every arm."""
    network = to_network(model)
    code = compile_network(network, lambda text: watch.report(0.0, text))
    watch.report(0.0, "letting the healthy cells settle")
    arms = {sample: settled(model.with_arm(sample), network, code) for sample in samples}
    run = UnderWay(model, network, code, arms)
    _into_space(run, watch)
    return run


def _into_space(run: UnderWay, watch: Watch) -> None:
    """Where a model has a tissue, each arm's own one, from its settled member."""
    if run.model.tissue is None:
        return
    run.parts = Parts(run.model, lambda text: watch.report(0.0, text))
    for sample, member in run.members.items():
        model = run.model.with_arm(sample)
        tissue = settled_tissue(model, run.network, member, run.parts)
        run.courses[sample] = Course(tissue, member)


def advance(run: UnderWay, out: Path | None, watch: Watch, parent: str | None = None) -> Run:
    """Let time pass to the end of the declaration, then tabulate and store."""
    start, end, began = run.time, end_time(run.model), clock.monotonic()
    partial = partial_of(out) if out is not None else None
    if partial is not None:
        (partial / "checkpoints").mkdir(parents=True, exist_ok=True)
        (partial / "model.resolved.yaml").write_text(write_model(run.model), "utf-8")
    _log(partial, "started", arms=list(run.members), at_h=start / 60, to_h=end / 60)
    schedules = []
    timed = run.parts.stirred if run.parts else run.network
    for sample, member in run.members.items():
        after = member.time if member.times else None
        schedules.append(make_schedule(run.model.with_arm(sample), timed, after, end))
    members = list(run.members.values())
    scales, tolerances = run.network.scales, tolerances_of(run.model)
    if partial is not None:
        save_checkpoint(run, partial)
    saved = clock.monotonic()
    for until in np.linspace(start, end, CHUNKS + 1)[1:].tolist():
        if run.courses:
            _run_courses(run, schedules, until)
        else:
            run_stops(run.code, members, schedules, scales, tolerances, until)
        failed = {sample: m for sample, m in run.members.items() if m.status != DONE}
        if failed:
            told = [f"{key}: at {m.time / 60:.3f} h it {m.message}" for key, m in failed.items()]
            raise NumericsError("\n".join(told))
        watch.report((until - start) / (end - start), f"{until / 60:.1f} of {end / 60:g} h")
        asked = until < end and watch.stopping()
        if partial is not None and (asked or clock.monotonic() - saved > CHECKPOINT_S):
            save_checkpoint(run, partial)
            saved = clock.monotonic()
        if asked:
            _log(partial, "stopped", at_h=run.time / 60)
            raise Stopped(f"stopped at {run.time / 60:.2f} h; polycrine resume '{partial}'")
    finished = _result(run, clock.monotonic() - began, parent)
    return finished if out is None else _store(run, finished, out)


def _run_courses(run: UnderWay, schedules: list[list[Stop]], until: float) -> None:
    for (sample, course), stops in zip(run.courses.items(), schedules, strict=True):
        try:
            run_course(course, run.model.with_arm(sample), run.network, stops, until)
        except FloatingPointError as error:
            rule = f"{sample}: at {course.tissue.time / 60:.3f} h {error}"
            raise NumericsError(rule) from error


def _result(run: UnderWay, seconds: float, parent: str | None) -> Run:
    for course in run.courses.values():
        conclude(course)
    states = dataset(run.network, run.members, run.courses)
    steps = {sample: m.counts.astype(int).tolist() for sample, m in run.members.items()}
    logs = {sample: course.tissue.log for sample, course in run.courses.items()}
    info = {
        "name": run.model.name,
        "status": "done",
        "versions": {name: version(name) for name in ("polycrine", "numpy", "numba")},
        "seed": run.model.run.seed,
        "device": "cpu",
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "arms": list(run.members),
        "parent": parent,
        "equations": run.network.digest[:8],
        "steps accepted, rejected": steps,
        **({"tissue": logs} if logs else {}),
        "tolerances": asdict(tolerances_of(run.model)),
    }
    frames = {**tables(run.model, run.network, states), **tissue_tables(run.courses)}
    return Run(info, write_model(run.model), states, frames, tissue=pictures(run.courses))


def _store(run: UnderWay, finished: Run, out: Path) -> Run:
    partial = partial_of(out)
    save_checkpoint(run, partial)
    _log(partial, "finished", seconds=finished.info["seconds"])
    (partial / "figures").mkdir(exist_ok=True)
    finished.save(partial)
    partial.rename(out)
    return replace(finished, folder=out)


def _log(partial: Path | None, event: str, **facts: object) -> None:
    if partial is not None:
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts}
        with (partial / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")


def new_folder(model: Model, samples: list[str]) -> Path:
    """`runs/<name>-<UTC>-<hash8>`, the hash that of the declaration, its arms and the version."""
    text = write_model(model) + repr(samples) + version("polycrine")
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"
    return Path("runs") / f"{identifier(model.name)}-{stamp}-{digest}"


def _refuse_to_overwrite(out: Path | None) -> None:
    if out is not None and (out.exists() or partial_of(out).exists()):
        raise wrong(str(out), "this folder is already there.", "Name another one, or resume it.")


def partial_of(folder: Path) -> Path:
    """Where a run is kept until it is finished."""
    return folder.with_name(f"{folder.name}.partial")


def save_checkpoint(run: UnderWay, folder: Path) -> None:
    """Everything that decides how the run goes on, and all that was observed so far."""
    scratch, members = folder / "checkpoints" / "writing.npz", run.members.values()
    arrays = {part: np.array([getattr(member, part) for member in members]) for part in KEPT}
    for k, course in enumerate(run.courses.values()):
        arrays |= {f"tissue.{k}.{name}": value for name, value in pack(course).items()}
    np.savez_compressed(scratch, allow_pickle=False, samples=np.array(list(run.members)), **arrays)
    scratch.replace(scratch.with_name("latest.npz"))


def resume(
    folder: Path, duration: str | None = None, out: Path | None = None, watch: Watch = Watch()
) -> Run:
    """Finish an interrupted run in place, or carry a finished one on to a longer duration.

    Carrying on writes a new folder that names its parent. The numbers are the same, bit for bit,
    as those of one run. Raises InputError when there is nothing to resume.
    """
    stored = folder / "checkpoints" / "latest.npz"
    if not stored.is_file():
        raise wrong(str(folder), "there is no checkpoint here.", "Name the folder of a run.")
    text = (folder / "model.resolved.yaml").read_text("utf-8")
    model = read_model(text, "model.resolved.yaml").with_run(duration=duration)
    run = _restore(model, stored, watch)
    if folder.name.endswith(".partial"):
        return advance(run, folder.with_name(folder.name.removesuffix(".partial")), watch)
    reached = run.time
    if end_time(model) <= reached:
        instead = f"Name a longer duration than {reached / 60:g} h with --for."
        raise wrong(str(folder), "this run is finished.", instead)
    _refuse_to_overwrite(out)
    return advance(run, out or new_folder(model, list(run.members)), watch, parent=folder.name)


def _restore(model: Model, stored: Path, watch: Watch) -> UnderWay:
    with np.load(stored, allow_pickle=False) as checkpoint:
        kept: dict[str, Any] = dict(checkpoint)
    kept |= {"times": kept["times"].tolist(), "states": [list(past) for past in kept["states"]]}
    network = to_network(model)
    code = compile_network(network, lambda text: watch.report(0.0, text))
    members = {
        str(sample): Member(**{part: kept[part][k] for part in KEPT})
        for k, sample in enumerate(kept["samples"])
    }
    run = UnderWay(model, network, code, members)
    _into_space(run, watch)
    for k, course in enumerate(run.courses.values()):
        own = f"tissue.{k}."
        unpack(course, {n.removeprefix(own): v for n, v in kept.items() if n.startswith(own)})
    return run
