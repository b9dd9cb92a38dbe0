"""A dose matrix: what was measured, or simulated, at the doses of two or three agents.

A CSV file has one row per well, a column of doses per agent with its unit in the header (`IL4 (pM)`
or `IL4_pM`), a column of responses, perhaps their `unit`, and `replicate` where doses were given
more than once. The long form of screens is read too: `drug1, drug2, dose1, dose2, response` (or
`conc1`, `conc2`), where `unit` is that of the doses.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from polycrine.errors import InputError, Problem, nearest, wrong
from polycrine.results.sweep import load_sweep
from polycrine.units import convert, value_and_unit

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
NAME_AND_UNIT = (
    re.compile(r"\s*(.+?)\s*\((.+)\)\s*"),
    re.compile(r"\s*(.+)_([pnumµμ]?M|(?:[pnumµμ]?g|I?U)[/_]?m?[lL])\s*"),
)
MISSING, REPLICATE = ("", "na", "nan", "n/a"), ("replicate", "rep")
OTHERS = re.compile(r"member|patient|arm|status|last_good_time_h|steps_.*|sex|weight_kg|age.*")


@dataclass(frozen=True)
class Matrix:
    """The wells of a dose matrix: a column of doses per agent, and `response`.

    units: of each agent's doses; readout: what the response is, with its unit; left_out: sentences
    about what of the input does not count.
    """

    name: str
    agents: tuple[str, ...]
    units: tuple[str, ...]
    readout: str
    wells: pd.DataFrame
    left_out: tuple[str, ...] = ()
    is_simulated: bool = False


def read_matrix(path: Path, readout: str | None = None) -> Matrix:
    """The dose matrix in a CSV file, or in the folder of a finished sweep with a grid of doses.

    readout: the column of responses, `response` where there is one. Raises InputError with
    everything that is wrong with the input.
    """
    if path.is_dir():
        return _from_sweep(path, readout)
    if not path.is_file():
        raise wrong(str(path), "this file is not there.", "Name a CSV file, or a sweep's folder.")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise wrong(str(path), "this is no text in UTF-8.", "Save it as CSV (UTF-8).") from error
    lines = text.splitlines()
    if not lines:
        raise wrong(str(path), "this file is empty.")
    reader = csv.reader(lines, delimiter=max(",;\t", key=lines[0].count))
    header = [name.strip() for name in next(reader)]
    rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    return _from_rows(path.name, header, rows, readout)


def _from_rows(
    file: str, header: list[str], rows: list[tuple[int, list[str]]], readout: str | None
) -> Matrix:
    problems = _ragged(file, header, rows)
    if problems:
        raise InputError(problems)
    places = [f"{file}:{line}" for line, _ in rows]
    table = pd.DataFrame([row for _, row in rows], columns=header, dtype=str, index=places)
    table = table.apply(lambda column: column.str.strip())
    long = _long_columns(header)
    is_long = any(what.startswith("drug") for what in long.values())
    found = _long_agents(file, table, long, problems) if is_long else _wide_agents(header)
    response = _response(file, header, found, readout, problems)
    found.pop(response, None)
    if len(found) not in (2, 3):
        rule = f"the doses of {len(found)} agents are there ({', '.join(found) or 'none'});"
        instead = "Write each with its unit, such as 'IL4 (pM)', and no other read-out beside them."
        problems.append(Problem(f"{file}:1", f"{rule} two or three are needed.", instead))
    if problems:
        raise InputError(problems)
    names, units = _told_apart([name for name, _ in found.values()]), [u for _, u in found.values()]
    is_empty = table[response].str.casefold().isin(MISSING)
    empty, table = int(is_empty.sum()), table[~is_empty]
    wells = pd.DataFrame({"response": _numbers(table[response], problems)}, index=table.index)
    for column, name in zip(found, names, strict=True):
        wells[name] = _numbers(table[column], problems)
        problems += [
            Problem(place, f"the dose {dose:g} of {name} is negative.")
            for place, dose in wells[name][wells[name] < 0].items()
        ]
    replicate = next((name for name in header if name.casefold() in REPLICATE), None)
    marks = [""] * len(table) if replicate is None else table[replicate].to_list()
    problems += _repeated(wells[list(names)], marks)
    readable = wells[(wells[list(names)] >= 0).all(axis=1)]
    problems += _incomplete(readable, names, tuple(units), file)
    readout_unit = [] if is_long else [k for k, what in long.items() if what == "unit"]
    written = sorted({text for k in readout_unit for text in table[k] if text})
    if len(written) > 1:
        problems.append(Problem(f"{file}:1", f"responses are in {' and '.join(written)}."))
    if problems:
        raise InputError(problems)
    used = {*found, response, replicate, *(long if is_long else readout_unit)}
    left_out = [f"the column '{name}'" for name in header if name not in used]
    if empty:
        left_out.append(f"{empty} well{'s' * (empty > 1)} without a response")
    wells = wells.reset_index(drop=True)
    label = f"{response} ({written[0]})" if written else response
    return Matrix(Path(file).stem, names, tuple(units), label, wells, tuple(left_out))


def _ragged(file: str, header: list[str], rows: list[tuple[int, list[str]]]) -> list[Problem]:
    """Rows with more or fewer cells than the header, and columns of the same name."""
    problems = []
    for line, row in rows:
        if len(row) != len(header):
            rule = f"this row has {len(row)} cells, the header {len(header)}."
            instead = "Write decimals with a point." if len(row) > len(header) else ""
            problems.append(Problem(f"{file}:{line}", rule, instead))
    for name, count in Counter(header).items():
        if count > 1:
            problems.append(Problem(f"{file}:1", f"the column '{name}' is there {count} times."))
    return problems


def _told_apart(names: list[str]) -> tuple[str, ...]:
    """Names that differ: an agent that is combined with itself is numbered."""
    return tuple(
        f"{name} #{names[: k + 1].count(name)}" if names.count(name) > 1 else name
        for k, name in enumerate(names)
    )


def _wide_agents(header: list[str]) -> dict[str, tuple[str, str]]:
    """Column -> name and unit of what looks like the doses of an agent."""
    found = {}
    for column in header:
        for pattern in NAME_AND_UNIT:
            if written := pattern.fullmatch(column):
                found[column] = (written[1], written[2].replace("_", "/"))
                break
    return found


def _long_columns(header: list[str]) -> dict[str, str]:
    """Columns of the long form, by what they hold: `drug1`, `dose1` and so on."""
    found = {}
    for column in header:
        name = column.casefold().replace("_", "").replace("conc", "dose")
        if name in ("unit", "doseunit") or re.fullmatch(r"(drug|dose)[123]", name):
            found[column] = name.removeprefix("dose") if "unit" in name else name
    return found


def _long_agents(
    file: str, table: pd.DataFrame, long: dict[str, str], problems: list[Problem]
) -> dict[str, tuple[str, str]]:
    held = {what: column for column, what in long.items()}
    found = {}
    for drug in sorted(what for what in held if what.startswith("drug")):
        dose = held.get(drug.replace("drug", "dose"))
        names = sorted({name for name in table[held[drug]] if name})
        units = sorted({unit for unit in table[held["unit"]] if unit}) if "unit" in held else [""]
        if dose is None or len(names) != 1 or len(units) != 1:
            rule = f"'{held[drug]}' must name one agent, with its doses and one unit beside it;"
            told = f"{rule} it has {', '.join([*names, *units]) or 'none'}."
            problems.append(Problem(f"{file}:1", told, "Write one matrix per file."))
            continue
        found[dose] = (names[0], units[0])
    return found


def _response(
    file: str,
    header: list[str],
    agents: dict[str, tuple[str, str]],
    readout: str | None,
    problems: list[Problem],
) -> str:
    """The column of the read-out, by its whole name or without its unit."""
    wanted = (readout or "response").casefold()
    for column in header:
        short = agents.get(column, (column, ""))[0]
        if wanted in (column.casefold(), short.casefold()):
            return column
    others = [name for name in header if name.casefold() not in REPLICATE]
    if readout is None:
        rule = "there is no column 'response'."
        names = ", ".join(f"'{name}'" for name in others)
        instead = f"Name the read-out with --response; there are {names}."
    else:
        rule, instead = f"there is no column '{readout}'.", nearest(readout, others)
    problems.append(Problem(f"{file}:1", rule, instead))
    return ""


def _numbers(texts: pd.Series, problems: list[Problem]) -> list[float]:
    values = []
    for place, text in texts.items():
        is_number = NUMBER.fullmatch(text) is not None and math.isfinite(float(text))
        values.append(float(text) if is_number else math.nan)
        if not is_number:
            instead = ""
            if re.fullmatch(r"[-+]?\d+,\d+", text):
                instead = f"Write {text.replace(',', '.')}."
            elif text.startswith("<"):
                instead = "Write what a level below the detection limit shall count as."
            rule = f"'{text}' in column '{texts.name}' is not a number."
            problems.append(Problem(str(place), rule, instead))
    return values


def _repeated(doses: pd.DataFrame, marks: list[str]) -> list[Problem]:
    """Wells with the same doses that are not marked as replicates of one another."""
    seen: dict[tuple[object, ...], str] = {}
    problems = []
    for place, row, mark in zip(doses.index, doses.to_numpy().tolist(), marks, strict=True):
        first = seen.setdefault((*row, mark), place)
        if first != place:
            rule = f"the same doses are on line {first.rpartition(':')[2]}."
            instead = "Number replicates in a column 'replicate'."
            problems.append(Problem(place, rule, instead))
    return problems


def _incomplete(
    wells: pd.DataFrame, agents: tuple[str, ...], units: tuple[str, ...], place: str
) -> list[Problem]:
    """Rows that a matrix must have: no agent, each alone at each of its doses, and combinations."""
    doses = wells[list(agents)].to_numpy()
    given = (doses > 0).sum(axis=1)
    problems = [
        Problem(place, f"{agent} has no dose of 0.", "A second read-out counts as an agent here.")
        for k, agent in enumerate(agents)
        if len(doses) and doses[:, k].min() > 0
    ]
    if problems or not len(doses):
        return problems or [Problem(place, "no well has a response.")]
    for k, agent in enumerate(agents):
        if not doses[:, k].any():
            problems.append(Problem(place, f"{agent} is never given: all its doses are 0."))
    if not (given == 0).any():
        problems.append(Problem(place, "the control is missing: a row where every dose is 0."))
    if not (given > 1).any():
        problems.append(Problem(place, "no row has two agents together."))
    for k, agent in enumerate(agents):
        combined = set(doses[given > 1, k]) - {0.0}
        missing = sorted(combined - set(doses[given == 1, k]))
        if missing:
            told = ", ".join(f"{dose:g}" for dose in missing)
            rule = f"no row has {agent} alone at {told} {units[k]}".rstrip() + "."
            problems.append(Problem(place, rule, "Add rows where all other doses are 0."))
    return problems


def _from_sweep(folder: Path, readout: str | None) -> Matrix:
    """The members of a sweep over doses as wells; a simulation has no replicates."""
    found = load_sweep(folder)
    members, grid, place = found.members, list(found.info["grid"]), str(folder)
    problems = []
    outcomes = [
        name
        for name in members.select_dtypes("number")
        if name not in grid and OTHERS.fullmatch(name) is None
    ]
    if len(grid) not in (2, 3) or not all(path.endswith(".dose") for path in grid):
        rule = f"this sweep is over {', '.join(grid) or 'no grid'};"
        problems.append(Problem(place, f"{rule} a grid of two or three doses is needed."))
    if "patient" in members:
        rule = "this sweep has patients; a dose matrix has one response at each point."
        problems.append(Problem(place, rule, "Leave 'patients' out of the plan."))
    if readout is None:
        names = ", ".join(f"'{name}'" for name in outcomes[:20])
        problems.append(Problem(place, "name the read-out with --response.", f"There are {names}."))
    elif readout not in outcomes:
        rule = f"there is no outcome '{readout}'."
        problems.append(Problem(place, rule, nearest(readout, outcomes)))
    if problems or readout is None:
        raise InputError(problems)
    arm, left_out = found.info["arms"][0], []
    own = members[members.arm == arm]
    if len(own) < len(members):
        left_out.append(f"{len(members) - len(own)} members of other arms than '{arm}'")
    done = own[(own.status == "done") & np.isfinite(own[readout])]
    if len(done) < len(own):
        left_out.append(f"{len(own) - len(done)} members that have no such outcome")
    agents = tuple(path.removesuffix(".dose") for path in grid)
    columns, units = {}, []
    for agent, path in zip(agents, grid, strict=True):
        written = [value_and_unit(str(text)) for text in done[path]]
        unit = next((unit for value, unit in written if value > 0), "")
        units.append(unit)
        columns[agent] = [
            value if value == 0 or own_unit == unit else convert(value, own_unit, unit)
            for value, own_unit in written
        ]
    wells = pd.DataFrame({**columns, "response": done[readout].to_numpy()})
    if problems := _incomplete(wells, agents, tuple(units), place):
        raise InputError(problems)
    name = str(found.info["name"])
    return Matrix(name, agents, tuple(units), readout, wells, tuple(left_out), True)
