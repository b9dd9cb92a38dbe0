"""The command line. Exit codes: 0 done; 2 bad input; 3 the numbers failed; 130/143 stopped."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from polycrine.results.run import Run

app = typer.Typer(add_completion=False, no_args_is_help=False, pretty_exceptions_enable=False)
PLAIN_LINE_S = 10.0

NameOrFile = Annotated[str, typer.Argument(help="A scenario's name, or a model file (.yaml).")]
Arm = Annotated[
    list[str] | None, typer.Option("--arm", help="An arm to run; repeat it, or 'all' together.")
]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change the model: events.LPS.dose='1 ng/kg', run.for=12h."),
]
Seed = Annotated[int | None, typer.Option(help="Seed of the run.")]
Duration = Annotated[str | None, typer.Option("--for", help="How long, such as 12h.")]
Out = Annotated[Path | None, typer.Option(help="Folder of the run; it must not exist yet.")]
Json = Annotated[bool, typer.Option("--json", help="Print data as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
RunFolder = Annotated[Path, typer.Argument(help="The folder of a run.")]

WELCOME = """\
polycrine simulates cytokine signalling from one secreting cell to the blood test.
  polycrine run endotoxemia      a person is given LPS: predicted panel beside measured people
  polycrine scenarios            what else is ready to run
  polycrine new my-model.yaml    a small model of your own to change
polycrine --help lists every command."""


def main() -> None:
    """Entry point: runs a command, prints problems on stderr, exits with the code of the error."""
    from polycrine.errors import InputError, PolycrineError

    try:
        app(standalone_mode=True)
    except InputError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except PolycrineError as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)


@app.callback(invoke_without_command=True)
def welcome(context: typer.Context) -> None:
    """Simulate cytokine signalling from one secreting cell to the blood test."""
    if context.invoked_subcommand is None:
        typer.echo(WELCOME)


@app.command()
def run(
    model: NameOrFile, arm: Arm = None, set_: Setting = None, seed: Seed = None,
    duration: Duration = None, out: Out = None, as_json: Json = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Run a scenario or a model file, write its folder and its report."""
    from polycrine.runs.run import choose_arms, new_folder
    from polycrine.runs.run import run as run_model
    from polycrine.scenarios.library import load

    declared = load(model, set_ or [])
    wanted = arm[0] if arm is not None and len(arm) == 1 else arm
    folder = out or new_folder(declared, choose_arms(declared, wanted))
    with _progress(quiet) as report, _stop_on_signal() as stopping:
        finished = run_model(declared, wanted, seed=seed, duration=duration, out=folder,
                             report=report, stopping=stopping)  # fmt: skip
    _conclude(finished, as_json, f"polycrine run {model}")


@app.command()
def resume(
    folder: RunFolder, duration: Duration = None, out: Out = None, as_json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Finish an interrupted run, or carry a finished one on with --for."""
    from polycrine.runs.run import resume as resume_run

    with _progress(quiet) as report, _stop_on_signal() as stopping:
        finished = resume_run(folder, duration, out, report, stopping)
    _conclude(finished, as_json, "")


@app.command()
def check(model: NameOrFile, set_: Setting = None, as_json: Json = False) -> None:
    """Say what is wrong with a model file, or what it consists of; nothing runs."""
    from polycrine.network.places import to_network
    from polycrine.runs.tables import numbers
    from polycrine.scenarios.library import load

    declared = load(model, set_ or [])
    network = to_network(declared)
    origins = numbers(network).origin.value_counts().to_dict()
    found = {"name": declared.name, "places": len(declared.places), "cells": len(declared.cells),
             "molecules": len(declared.molecules), "variables": len(network.species),
             "reactions": len(network.reactions), "numbers": origins}  # fmt: skip
    if as_json:
        typer.echo(json.dumps(found))
        return
    typer.echo(f"{declared.name}: nothing is wrong.")
    typer.echo(", ".join(f"{found[key]} {key}" for key in list(found)[1:-1]))
    typer.echo("numbers: " + ", ".join(f"{count} {origin}" for origin, count in origins.items()))


@app.command()
def new(file: Annotated[Path, typer.Argument(help="The model file to write.")]) -> None:
    """Write a small commented model to start from."""
    from polycrine.errors import InputError, Problem
    from polycrine.scenarios.library import template

    if file.exists():
        raise InputError([Problem(str(file), "this file is already there.", "Name another one.")])
    file.write_text(template(), "utf-8")
    typer.echo(f"Wrote {file}. Try: polycrine run {file}")


@app.command()
def scenarios(as_json: Json = False) -> None:
    """List the scenarios that are ready to run."""
    from polycrine.scenarios.library import load, scenario_names

    rows = []
    for name in scenario_names():
        model = load(name)
        rows.append({"name": name, "about": model.about, "arms": list(model.arms)})
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        typer.echo(f"{row['name']}: {row['about']}")
        typer.echo(f"    arms: {', '.join(row['arms'])}")


@app.command()
def catalogue(
    name: Annotated[str | None, typer.Argument(help="A molecule, by any of its names.")] = None,
    as_json: Json = False,
) -> None:
    """List the catalogue, or show one molecule with its numbers and sources."""
    from polycrine.catalogue.library import catalogue as load_catalogue
    from polycrine.catalogue.library import describe

    known = load_catalogue()
    if name is None:
        rows = [{"key": key, "name": entry.name, "kind": entry.kind, "about": entry.about}
                for key, entry in known.molecules.items()]  # fmt: skip
        if as_json:
            typer.echo(json.dumps(rows, ensure_ascii=False))
        else:
            _print_table(["key", "name", "kind", "about"], [list(row.values()) for row in rows])
        return
    facts = describe(known, known.find(name))
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    typer.echo(f"{facts['key']} ({facts['name']}), {facts['kind']}. {facts['about']}")
    _print_table(["number", "value", "range", "origin", "source or reason"], facts["numbers"])


@app.command()
def cite(model: NameOrFile, set_: Setting = None, as_json: Json = False) -> None:
    """Print the bibliography behind a model's numbers."""
    from polycrine.catalogue.library import catalogue as load_catalogue
    from polycrine.network.places import to_network
    from polycrine.scenarios.library import load

    known = load_catalogue().sources
    used = {p.number.source for p in to_network(load(model, set_ or [])).parameters if p.number}
    rows = [{"key": key, "cite": known[key].cite, "link": known[key].link}
            for key in sorted(key for key in used if key)]  # fmt: skip
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        typer.echo(f"{row['cite']}  {row['link']}".rstrip())


@app.command()
def panel(folder: RunFolder, as_json: Json = False) -> None:
    """Print the cytokine panel of a finished run, hour by hour."""
    from polycrine.results.run import load_run

    table = load_run(folder).panel()
    if as_json:
        typer.echo(table.to_json(orient="records", double_precision=10))
        return
    for (sample, place), group in table.groupby(["sample", "place"], sort=False):
        typer.echo(f"{sample}, {place}")
        group = group.assign(analyte=group.analyte + " " + group.unit)
        wide = group.pivot_table(index="time_h", columns="analyte", values="value", sort=False)
        step = max(1, len(wide) // 24)
        rows = [[f"{hour:g}", *(f"{value:.3g}" for value in line)]
                for hour, line in zip(wide.index[::step], wide.to_numpy()[::step], strict=True)]  # fmt: skip
        _print_table(["time_h", *(str(name) for name in wide.columns)], rows)


def _conclude(finished: Run, as_json: bool, command: str) -> None:
    """Write the report; print peaks beside measured ones, its path and what to try next."""
    from polycrine.readouts.comparison import beside_measured
    from polycrine.report.page import write_report
    from polycrine.scenarios.library import measured_of

    page = write_report(finished)
    table = beside_measured(finished.panel(), measured_of(finished.model_text))
    if as_json:
        rows = json.loads(table.to_json(orient="records", double_precision=10))
        typer.echo(json.dumps({"folder": str(finished.folder), "report": str(page), "peaks": rows}))
        return
    _print_peaks(table)
    typer.echo(f"Report: {page}")
    if command and len(finished.samples) == 1:
        typer.echo(f"Next: {command} --arm all")


def _print_peaks(table: pd.DataFrame) -> None:
    if table["sample"].nunique() > 1:
        wide = table.pivot_table(
            index=["analyte", "unit"], columns="sample", values="peak", sort=False
        )
        rows = [[f"{analyte} {unit}", *(f"{peak:.4g}" for peak in line)]
                for (analyte, unit), line in zip(wide.index, wide.to_numpy(), strict=True)]  # fmt: skip
        _print_table(["predicted peak", *(str(name) for name in wide.columns)], rows)
        return
    header = ["", "predicted peak", "at"]
    if table.measured_peak.notna().any():
        header += ["measured median (quartiles)", "at", "predicted / measured"]
    rows = []
    for row in table.itertuples():
        cells = [str(row.analyte), f"{row.peak:.4g} {row.unit}", f"{row.peak_h:.2f} h"]
        if row.measured_peak == row.measured_peak:
            quartiles = f"({row.measured_lower:.3g}-{row.measured_upper:.3g})"
            cells += [f"{row.measured_peak:.3g} {quartiles}", f"{row.measured_peak_h:g} h",
                      f"{row.ratio:.2f}"]  # fmt: skip
        rows.append(cells)
    _print_table(header, rows)


def _print_table(header: list[str], rows: list[list[Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False, markup=False).print(table)


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[float, str], None]]:
    """A bar with time left at a terminal; else a plain line every 10 s; nothing when quiet."""
    if quiet:
        yield lambda fraction, text: None
    elif sys.stderr.isatty():
        from rich.console import Console

        with _bar(Console(stderr=True)) as report:
            yield report
    else:
        last = time.monotonic()

        def plain(fraction: float, text: str) -> None:
            nonlocal last
            if text.startswith("compiling") or time.monotonic() - last >= PLAIN_LINE_S:
                last = time.monotonic()
                print(f"{100 * fraction:.0f} %  {text}", file=sys.stderr)  # noqa: T201

        yield plain


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[float, str], None]]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting", total=1.0)
        yield lambda fraction, text: progress.update(task, completed=fraction, description=text)


@contextmanager
def _stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Interrupts ask the run to stop at its next checkpoint; the exit code names the signal."""
    from polycrine.runs.run import Stopped

    received: list[int] = []
    before = {s: signal.signal(s, lambda number, _: received.append(number))
              for s in (signal.SIGINT, signal.SIGTERM)}  # fmt: skip
    try:
        yield lambda: bool(received)
    except Stopped as stopped:
        stopped.exit_code = 128 + received[0]
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
