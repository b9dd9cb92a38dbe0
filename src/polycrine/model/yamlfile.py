"""A declaration as YAML text, in and out, with settings applied before anything is checked."""

import copy
from collections.abc import Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from polycrine.catalogue.yamltext import TAG, Document, fill, read_document
from polycrine.errors import InputError, Problem, nearest, wrong
from polycrine.model.checks import check_model
from polycrine.model.model import Model

# how deep an entry lies that is left out, and what stands in for one whose place is needed
DEPTH = {"places": 2, "cells": 2, "events": 2, "observe": 2, "arms": 3}
NOBODY = "nobody"
STAND_INS = {
    "name": NOBODY,
    "run": {"for": "1 h"},
    "body": {"weight": "70 kg", "plasma": "3 L", "whole blood": "5 L"},
    "events": {"knock out": NOBODY},
    "arms": {"knock out": NOBODY},
    "observe": {"count": NOBODY, "every": "1 h"},
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
    """What is wrong besides entries that have no form, found with stand-ins in their place."""
    assert isinstance(error.__cause__, ValidationError)
    findings = error.__cause__.errors()
    paths = [[p for p in found["loc"] if not str(p).startswith(TAG)] for found in findings]
    data: Any = copy.deepcopy(document.data)
    for path in paths:
        *parents, last = path[: DEPTH.get(str(path[0]), 1)]
        entries = data
        for part in parents:
            entries = entries[part]
        if path[0] in STAND_INS:
            entries[last] = STAND_INS[str(path[0])]
        elif last in entries:
            del entries[last]
    gone = {f"'{part}'" for path in paths for part in path} | {f"'{NOBODY}'"}
    try:
        check_model(Model.model_validate(data), Document(document.name, data, document.lines))
    except InputError as further:
        return [p for p in further.problems if not any(name in p.rule for name in gone)]
    except ValidationError:
        pass
    return []


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
        document.data.setdefault("numbers", {})
        parts = ["numbers", path.removeprefix("numbers.")]
    else:
        parts = path.split(".")
    here, keys = document.data, []
    for k, part in enumerate(parts, 1):
        key = _key(here, part)
        if key is None and (k < len(parts) or not isinstance(here, dict)):
            return [Problem(place, f"'{part}' is not in the model.", nearest(part, _names(here)))]
        keys.append(part if key is None else key)
        if k < len(parts):
            here = here[keys[-1]]
    here[keys[-1]] = value.strip()
    document.lines[tuple(keys)] = place
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
