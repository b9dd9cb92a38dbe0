"""YAML as text with line numbers: every scalar stays text, a key written twice is a problem.

YAML 1.1 reads `1e-6` as text, `NO` as false and `12:30` as 750; here the schema of the record
that is filled decides what a scalar is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from polycrine.errors import InputError, Problem, nearest

Path = tuple[str | int, ...]
R = TypeVar("R", bound=BaseModel)


@dataclass(frozen=True)
class Document:
    """The data of a YAML text, and on which line each path of it begins."""

    name: str
    data: Any
    lines: Mapping[Path, int]

    def place(self, path: Path) -> str:
        """`file:line`, of the path itself or of the nearest part of it that is written."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.name}:{self.lines.get(path, 1)}"


def read_document(text: str, name: str) -> Document:
    """Parse YAML text; raises InputError for bad YAML and for every key that is written twice."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        began = (
            f" (what it is in began on line {error.context_mark.line + 1})"
            if error.context_mark
            else ""
        )
        rule = f"this is not YAML: {error.problem}{began}."
        instead = "Check indentation, colons and brackets."
        raise InputError([Problem(f"{name}:{line}", rule, instead)]) from error
    except yaml.YAMLError as error:
        raise InputError([Problem(f"{name}:1", "this is not text in YAML.")]) from error
    lines: dict[Path, int] = {}
    problems: list[Problem] = []
    data = _plain(node, (), lines, problems, name)
    if problems:
        raise InputError(problems)
    return Document(name, data, lines)


def _plain(
    node: yaml.Node | None, path: Path, lines: dict[Path, int], problems: list[Problem], name: str
) -> Any:
    if node is None:
        return None
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in mapping:
                first = lines[(*path, key)]
                problems.append(Problem(f"{name}:{line}", f"'{key}' is written twice here,"
                    f" first on line {first}.", "Keep one of the two."))  # fmt: skip
            lines.setdefault((*path, key), line)
            mapping[key] = _plain(value_node, (*path, key), lines, problems, name)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [
            _plain(item, (*path, i), lines, problems, name) for i, item in enumerate(node.value)
        ]
    assert isinstance(node, yaml.ScalarNode)
    is_null = node.tag == "tag:yaml.org,2002:null" and node.style is None
    return None if is_null else node.value


def fill(record: type[R], document: Document) -> R:
    """The record that the document describes; raises InputError with every problem of it."""
    try:
        return record.model_validate(document.data)
    except ValidationError as error:
        raise InputError(problems_of(error, record, document)) from error


def problems_of(
    error: ValidationError, record: type[BaseModel], document: Document
) -> list[Problem]:
    """pydantic's findings as problems with lines, plain sentences and the nearest valid key."""
    problems = []
    for finding in error.errors():
        path = tuple(part for part in finding["loc"] if _is_written(part))
        kind, key = finding["type"], str(finding["loc"][-1]) if finding["loc"] else ""
        instead = ""
        if kind == "extra_forbidden":
            rule = f"'{key}' is not a key that is known here."
            instead = nearest(key, _keys_at(record, finding["loc"][:-1]))
        elif kind == "missing":
            rule = f"'{key}' is missing here."
        elif kind == "value_error":
            rule = str(finding["ctx"]["error"]).rstrip(".") + "."
        elif kind.startswith("float") or kind.startswith("int"):
            rule = f"'{finding['input']}' is not a number that fits '{key}'."
        elif kind in ("literal_error", "enum"):
            rule = f"'{finding['input']}' does not fit '{key}'."
            instead = f"Write {finding['ctx']['expected']}."
        elif kind in ("model_type", "dict_type", "model_attributes_type"):
            rule = f"'{key or document.name}' must hold keys with values."
        elif kind in ("tuple_type", "list_type"):
            rule = f"'{key}' must be a list: lines that begin with '- '."
        else:
            rule = f"'{key}': {finding['msg']}."
        problems.append(Problem(document.place(path), rule, instead))
    return problems


def _is_written(part: object) -> bool:
    return not (isinstance(part, str) and part.startswith("event:"))


def _keys_at(record: type[BaseModel], loc: Iterable[str | int]) -> list[str]:
    kind: Any = record
    for part in loc:
        kind = _inner(kind, part) if _is_written(part) else kind
    return list(_names(kind))


def _inner(kind: Any, part: str | int) -> Any:
    for option in _options(kind):
        if isinstance(option, type) and issubclass(option, BaseModel):
            for name, field in option.model_fields.items():
                if part in (name, field.alias):
                    return field.annotation
        elif get_origin(option) in (dict, tuple):
            arguments = [a for a in get_args(option) if a is not Ellipsis]
            return arguments[-1]
    return None


def _options(kind: Any) -> list[Any]:
    if hasattr(kind, "__metadata__"):
        return _options(get_args(kind)[0])
    if get_origin(kind) is None or get_origin(kind) in (dict, tuple, list):
        return [kind]
    return [inner for option in get_args(kind) for inner in _options(option)]


def _names(kind: Any) -> Iterable[str]:
    for option in _options(kind):
        if isinstance(option, type) and issubclass(option, BaseModel):
            for name, field in option.model_fields.items():
                yield field.alias or name
