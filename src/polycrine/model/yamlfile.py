"""A declaration as YAML text, in and out, with settings applied before anything is checked."""

import copy
from collections.abc import Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from polycrine.catalogue.yamltext import TAG, Document, Path, fill, read_document
from polycrine.errors import InputError, Problem, nearest, wrong
from polycrine.model.checks import check_model
from polycrine.model.model import Model

# how deep an entry lies that can be left out, and what stands in for one that is needed
DEPTH = {"places": 2, "cells": 2, "links": 2, "events": 2, "observe": 2, "arms": 3}
STAND_INS = {
    "name": "name",
    "run": {"for": "1 h"},
    "body": {"weight": "70 kg", "plasma": "3 L", "whole blood": "5 L"},
}
NAMED = ("give", "block", "knock out", "panel", "read", "count")


def read_model(text: str, name: str, settings: Sequence[str] = ()) -> Model:
    """The checked declaration in a YAML text.

    settings: `path=value`, the path dotted as in the file; an item of a list is named by its
    position or by what it gives, blocks or observes (`events.LPS.dose=1 ng/kg`).
    Raises InputError with every problem, each with its line.
    """
    document = read_document(text, name)
    if not isinstance(document.data, dict):
        rule = "a model is a file of keys with values."
        raise wrong(f"{name}:1", rule, "Begin with 'polycrine: 1'.")
    problems = [problem for setting in settings for problem in _apply(document, setting)]
    if problems:
        raise InputError(problems)
    try:
        model = fill(Model, document)
    except InputError as error:
        raise InputError([*error.problems, *_further(document, error)]) from error
    check_model(model, document)
    return model


def _further(document: Document, error: InputError) -> list[Problem]:
    """What is wrong besides entries that have no form, found by leaving those out."""
    assert isinstance(error.__cause__, ValidationError)
    data, lines = copy.deepcopy(document.data), dict(document.lines)
    paths = {
        tuple(part for part in finding["loc"] if not str(part).startswith(TAG))
        for finding in error.__cause__.errors()
    }
    for path in sorted({path[: DEPTH.get(str(path[0]), 1)] for path in paths}, reverse=True):
        if path[0] in STAND_INS:
            data[path[0]] = STAND_INS[str(path[0])]
            continue
        entries: Any = data
        for part in path[:-1]:
            entries = entries[part]
        if isinstance(entries, list):
            entries.pop(int(path[-1]))
            lines = _shifted(lines, path)
        else:
            entries.pop(path[-1], None)
    try:
        check_model(Model.model_validate(data), Document(document.name, data, lines))
    except InputError as further:
        gone = [f"'{path[-1]}'" for path in paths] + [f"'{path[1]}'" for path in paths if path[1:]]
        return [p for p in further.problems if not any(name in p.rule for name in gone)]
    except ValidationError:
        pass
    return []


def _shifted(lines: dict[Path, int], gone: Path) -> dict[Path, int]:
    """Lines of the paths in a list from which an item is left out."""
    shifted, depth, item = {}, len(gone) - 1, int(gone[-1])
    for path, line in lines.items():
        if path[:depth] == gone[:-1] and len(path) > depth and int(path[depth]) > item:
            path = (*path[:depth], int(path[depth]) - 1, *path[depth + 1 :])
        elif path[: depth + 1] == gone:
            continue
        shifted[path] = line
    return shifted


def write_model(model: Model) -> str:
    """The declaration as YAML text that `read_model` reads back to an equal model."""
    data = model.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    return yaml.safe_dump(
        {"polycrine": "1", **data}, sort_keys=False, allow_unicode=True, width=100
    )


def _apply(document: Document, setting: str) -> list[Problem]:
    place = f"--set {setting}"
    path, equals, value = setting.partition("=")
    if not equals:
        return [Problem(place, "a setting is written path=value.", "Example: run.for=12h.")]
    if path.startswith("numbers."):
        document.data.setdefault("numbers", {})[path.removeprefix("numbers.")] = value.strip()
        return []
    here: Any = document.data
    *parents, last = path.split(".")
    for part in parents:
        key = _key(here, part)
        if key is None:
            return [Problem(place, f"'{part}' is not in the model.", nearest(part, _names(here)))]
        here = here[key]
    key = _key(here, last)
    if isinstance(here, list) and key is None:
        return [Problem(place, f"'{last}' is not in the model.", nearest(last, _names(here)))]
    if isinstance(here, list):
        here[key] = value.strip()
    elif isinstance(here, dict):
        here[key or last] = value.strip()
    else:
        return [Problem(place, f"'{parents[-1]}' holds a value, not keys.")]
    return []


def _key(here: Any, part: str) -> Any:
    if isinstance(here, dict):
        return next((key for key in here if key in (part, part.replace("_", " "))), None)
    if isinstance(here, list):
        if part.isdigit() and int(part) < len(here):
            return int(part)
        matches = [i for i, item in enumerate(here) if part in _item_names(item)]
        return matches[0] if len(matches) == 1 else None
    return None


def _names(here: Any) -> list[str]:
    if isinstance(here, dict):
        return list(here)
    return [name for item in here for name in _item_names(item)] if isinstance(here, list) else []


def _item_names(item: Any) -> list[str]:
    return [item[key] for key in NAMED if key in item] if isinstance(item, dict) else []
