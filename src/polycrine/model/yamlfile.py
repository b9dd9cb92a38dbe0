"""A declaration as YAML text, in and out, with settings applied before anything is checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from polycrine.catalogue.yamltext import Document, fill, read_document
from polycrine.errors import InputError, Problem, nearest, wrong
from polycrine.model.checks import check_model
from polycrine.model.model import Model

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
    model = fill(Model, document)
    check_model(model, document)
    return model


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
