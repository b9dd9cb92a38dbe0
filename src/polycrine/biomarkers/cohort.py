"""Panels of people over hours from a landmark: read from a table, checked, laid out as arrays.

A table has a row per level: subject, group, time_h, analyte, value, unit, flag, and `origin`
(`measured`, which it also is without that column, or `simulated`). time_h counts from the landmark,
such as the onset. Where flag is `below` or `above`, value is the limit of the assay; `hook`: the
level may be far higher; `missing` and `no curve`: there is none. NPX are logarithms to base 2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from polycrine.errors import InputError, Problem, nearest, wrong

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NAMES = ("subject", "group", "analyte", "unit")
COLUMNS = ("subject", "group", "time_h", "analyte", "value", "unit", "flag")
NONE = ("missing", "no curve")
WORDS = {"flag": ("", "below", "above", "hook", *NONE), "origin": ("measured", "simulated")}
LEAST = 10  # subjects of a group: below that, an interval is no claim
SHOWN = 3  # rows that are told of one kind of problem
DECIMALS = "Write a decimal point."
NOT_SEEN = "Where nothing was seen, write the limit, and 'below' as flag."


@dataclass(frozen=True)
class Cohort:
    """People at the hours that they share.

    levels: analyte x hour x subject, nan where there is none, a censored level at its limit.
    limits: analyte x 2, what lies at or beyond them is censored; infinite where nothing is.
    groups: the group of each subject; told: what was left out or changed, in sentences.
    """

    name: str
    simulated: bool
    analytes: tuple[str, ...]
    units: tuple[str, ...]
    hours: Floats
    subjects: tuple[str, ...]
    groups: NDArray[np.str_]
    levels: Floats
    limits: Floats
    told: tuple[str, ...]

    def group_names(self) -> list[str]:
        """The groups in the order of the table."""
        return list(dict.fromkeys(self.groups.tolist()))

    def enough(self, group: str) -> Bools:
        """Of analyte x hour, where enough subjects of a group have a level."""
        found = np.isfinite(self.levels[:, :, self.groups == group])
        return np.asarray(found.sum(axis=2) >= LEAST)


def read_cohort(path: Path) -> Cohort:
    """A cohort from a CSV file; raises InputError with every problem and its line."""
    if not path.is_file():
        raise wrong(str(path), "there is no such file.", "Name a table of a cohort (.csv).")
    texts = dict.fromkeys((*NAMES, *WORDS), "category")
    try:
        table = pd.read_csv(
            path, dtype=texts, keep_default_na=False, skip_blank_lines=False, encoding="utf-8-sig"
        )
    except (ValueError, UnicodeDecodeError) as error:  # pandas' own errors are ValueErrors
        told = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise wrong(str(path), f"this is no table in CSV: {told}.", DECIMALS) from error
    if not isinstance(table.index, pd.RangeIndex):
        rule = "rows have more fields than the header has columns."
        raise wrong(f"{path}:2", rule, f"{DECIMALS} Separate columns by commas.")
    return to_cohort(table, str(path), first_line=2)


def to_cohort(table: pd.DataFrame, name: str, first_line: int = 0) -> Cohort:
    """A cohort from a table with those columns; `first_line` is what its first row is called."""
    _need_columns(table, name)
    typed, problems = _typed(table)
    problems += _disagreements(typed)
    if problems:
        places = [f":{int(one.place) + first_line}" if one.place else "" for one in problems]
        pairs = zip(problems, places, strict=True)
        raise InputError([replace(one, place=name + place) for one, place in pairs])
    return _laid_out(typed, name)


def _in_rows(at: Any, values: pd.Series[Any], rule: str, instead: str = "") -> list[Problem]:
    """What is wrong in the rows of a mask: the first few and how many more; {} is the value."""
    rows, told = np.flatnonzero(at), []
    for k, row in enumerate(rows[:SHOWN], 1):
        more = len(rows) - SHOWN if k == SHOWN else 0
        others = f" So it is in {more:,} rows more." if more else ""
        told.append(Problem(str(row), rule.format(values.iloc[row]) + others, instead))
    return told


def _need_columns(table: pd.DataFrame, name: str) -> None:
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        rule = "the column '{}' is missing."
        problems = [
            Problem(f"{name}:1", rule.format(column), nearest(column, set(table) - set(COLUMNS)))
            for column in missing
        ]
        if len(table.columns) == 1:
            problems.append(Problem(f"{name}:1", "there is one column.", "Separate by commas."))
        raise InputError(problems)
    if not len(table):
        raise wrong(f"{name}:1", "there are no rows.")


def _typed(table: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """The columns that are read, texts as categories, and what is wrong within each."""
    table = table[[name for name in (*COLUMNS, "origin") if name in table]].copy()
    problems = []
    for name in (*NAMES, *(word for word in WORDS if word in table)):
        table[name] = table[name].astype("category")
        known = WORDS.get(name, ())
        blank = table[name].isna() if known else table[name].isna() | (table[name] == "")
        problems += _in_rows(blank, table[name], f"'{name}' is empty.")
        for word in table[name].cat.categories if known else ():
            if word not in known:
                instead = nearest(str(word), filter(None, known))
                rule = f"the {name} '{{}}' is not known."
                problems += _in_rows(table[name] == word, table[name], rule, instead)
    for name in ("time_h", "value"):
        column, table[name] = table[name], pd.to_numeric(table[name], errors="coerce").astype(float)
        bad = ~np.isfinite(table[name]) & ~((name == "value") & table.flag.isin(NONE))
        commas = bad & column.astype(str).str.contains(",") if bad.any() else bad
        problems += _in_rows(commas, column, f"{name} is '{{}}', with a comma.", DECIMALS)
        problems += _in_rows(bad & ~commas, column, f"{name} is '{{}}', which is no finite number.")
    rule, at = "a level of {:g} is not above zero.", (table.value <= 0) & (table.unit != "NPX")
    return table, problems + _in_rows(at, table.value, rule, NOT_SEEN)


def _disagreements(table: pd.DataFrame) -> list[Problem]:
    """Where rows differ in an analyte's unit, a subject's group, an origin, or say a level twice;
    and groups that are too small."""
    problems = []
    for key, other in (("analyte", "unit"), ("subject", "group")):
        codes, names = pd.factorize(table[key])
        others, words = pd.factorize(table[other])
        first = np.full(len(names), -1)
        first[codes[::-1]] = others[::-1]
        differs = (others != first[codes]) & (others >= 0) & (codes >= 0)
        for k in np.unique(codes[differs]):
            rule = f"the {key} '{names[k]}' has the {other} '{{}}' here, '{words[first[k]]}' above."
            at = differs & (codes == k)
            problems += _in_rows(at, table[other], rule, f"Give it one {other}.")
    twice = table.duplicated(["subject", "analyte", "time_h"]) & table.time_h.notna()
    rule = "the subject '{}' has this analyte at this time above."
    problems += _in_rows(twice, table.subject, rule, "Keep one level.")
    if "origin" in table:
        rule = f"this row is {{}}, the first is {table.origin.iloc[0]}."
        at = table.origin.isin(WORDS["origin"]) & (table.origin != table.origin.iloc[0])
        problems += _in_rows(at, table.origin, rule, "Keep measured and simulated people apart.")
    people = (
        table[["subject", "group"]].drop_duplicates().group.astype(str).value_counts(sort=False)
    )
    if len(people) == 1:
        problems.append(Problem("", f"there is one group, '{people.index[0]}'; two are the least."))
    for group, count in people.items():
        if count < LEAST:
            rule = f"the group '{group}' has {count} subjects; {LEAST} are the least."
            problems.append(Problem("", rule))
    return problems


def _laid_out(table: pd.DataFrame, name: str) -> Cohort:
    """Arrays over the hours at which two groups or more have enough subjects."""
    has_none = table.flag.isin(NONE)
    told = [f"{has_none.sum():,} rows hold no level."] if has_none.any() else []
    table = table[~has_none]
    analyte, analytes = pd.factorize(table.analyte)
    subject, subjects = pd.factorize(table.subject)
    group, group_names = pd.factorize(table.group)
    group_of = np.zeros(len(subjects), dtype=int)
    group_of[subject] = group
    time, value = table.time_h.to_numpy(), table.value.to_numpy(copy=True)
    np.exp2(value, out=value, where=(table.unit == "NPX").to_numpy())
    hour, shared, said = _hours(time, subject, group_of)
    if not len(shared):
        rule = f"there is no hour at which {LEAST} subjects each of two groups have a sample."
        raise wrong(name, rule)
    limits, also = _limits(value, analyte, table.flag.astype(str).to_numpy(), analytes, name)
    far = np.argsort(-np.abs(time - hour), kind="stable")  # the nearest to its hour is put last
    far = far[np.isin(hour[far], shared)]
    levels = np.full((len(analytes), len(shared), len(subjects)), np.nan)
    levels[analyte[far], np.searchsorted(shared, hour[far]), subject[far]] = value[far]
    if lost := len(far) - int((~np.isnan(levels)).sum()):
        said.append(f"{lost:,} levels were left out: another was nearer to the same hour.")
    units = table.drop_duplicates("analyte").unit.astype(str).replace("NPX", "2^NPX")
    return Cohort(
        name=Path(name).stem,
        simulated="origin" in table and str(table.origin.iloc[0]) == "simulated",
        analytes=tuple(map(str, analytes)),
        units=tuple(units),
        hours=shared,
        subjects=tuple(map(str, subjects)),
        groups=np.array([str(group_names[k]) for k in group_of]),
        levels=np.clip(levels, limits[:, :1, None], limits[:, 1:, None]),
        limits=limits,
        told=(*told, *said, *also),
    )


def _hours(time: Floats, subject: Any, group_of: Any) -> tuple[Floats, Floats, list[str]]:
    """The hour that each sample counts for, and those that enough subjects share."""
    hour, shared, told = time, _shared(time, subject, group_of), []
    if np.isin(time, shared).mean() < 0.5:
        hour = np.floor(time + 0.5)
        shared = _shared(hour, subject, group_of)
        told.append("Times are not shared: each sample counts for the nearest whole hour.")
    if lost := int((~np.isin(hour, shared)).sum()):
        told.append(f"{lost:,} levels at hours that too few share were left out.")
    return hour, shared, told


def _shared(hour: Floats, subject: Any, group_of: Any) -> Floats:
    """The hours at which two groups or more have enough subjects with a sample."""
    hours, at = np.unique(hour, return_inverse=True)
    pairs = np.unique(at * len(group_of) + subject)
    counts = np.zeros((len(hours), group_of.max() + 1), dtype=int)
    np.add.at(counts, (pairs // len(group_of), group_of[pairs % len(group_of)]), 1)
    return np.asarray(hours[(counts >= LEAST).sum(axis=1) >= 2], dtype=float)


def _limits(
    value: Floats, analyte: Any, flags: Any, analytes: Any, name: str
) -> tuple[Floats, list[str]]:
    """Of each analyte the highest level that is flagged below and the lowest that is above."""
    count, told = len(analytes), []
    low, high, most = (np.full(count, end) for end in (-np.inf, np.inf, -np.inf))
    np.maximum.at(most, analyte, value)
    hook = flags == "hook"
    np.maximum.at(low, analyte[flags == "below"], value[flags == "below"])
    np.minimum.at(high, analyte[flags == "above"], value[flags == "above"])
    np.minimum.at(high, analyte[hook], most[analyte[hook]])
    value[hook] = np.inf
    crossed = [str(analytes[k]) for k in np.flatnonzero(low >= high)]
    if crossed:
        rule = "of '{}' a limit below lies over a limit above; what is between cannot be ordered."
        raise InputError([Problem(name, rule.format(one)) for one in crossed])
    if hook.any():
        told.append(f"{hook.sum():,} levels with a hook count as the highest.")
    beyond = (flags == "") & ((value < low[analyte]) | (value > high[analyte]))
    if beyond.any():
        rule = "levels lie beyond the limit of another sample: they count as that limit."
        told.append(f"{beyond.sum():,} {rule}")
    return np.column_stack([low, high]), told
