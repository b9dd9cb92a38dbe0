"""YAML as text with line numbers: every scalar stays text, a key written twice is a problem.

YAML 1.1 reads `1e-6` as text, `NO` as false and `12:30` as 750; here the schema of the record
that is filled decides what a scalar is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from polycrine.errors import InputError, Problem, nearest, wrong

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]
TAG = "one of: "
R = TypeVar("R", bound=BaseModel)


@dataclass(frozen=True)
class Document:
    """The data of a YAML text, and where each path of it stands: a line, or other words."""

    name: str
    data: Any
    lines: dict[Path, int | str]

    def place(self, path: Path) -> str:
        """`file:line` of the path or the nearest part that is written; without text, the path."""
        if not self.lines:
            return f"{self.name}.{'.'.join(map(str, path))}"
        while path and path not in self.lines:
            path = path[:-1]
        line = self.lines.get(path, 1)
        return line if isinstance(line, str) else f"{self.name}:{line}"


def read_document(text: str, name: str) -> Document:
    """Parse YAML text; raises InputError for bad YAML and for every key that is written twice."""
    try:
        node = _compose(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        began = (
            f" (what it is in began on line {error.context_mark.line + 1})"
            if error.context_mark
            else ""
        )
        rule = f"this is not YAML: {error.problem}{began}."
        instead = "Check indentation, colons and brackets."
        raise wrong(f"{name}:{line}", rule, instead) from error
    except yaml.YAMLError as error:
        raise wrong(f"{name}:1", "this is not text in YAML.") from error
    lines: dict[Path, int | str] = {}
    problems: list[Problem] = []
    try:
        data = _plain(node, (), lines, problems, name)
    except RecursionError as error:
        raise wrong(f"{name}:1", "this file refers to itself.", "Leave out & and *.") from error
    if problems:
        raise InputError(problems)
    return Document(name, data, lines)


def _compose(text: str) -> yaml.Node | None:
    """By libyaml where PyYAML has it, a tenth of the time; it tells less of what is wrong."""
    try:
        return yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return yaml.compose(text, Loader=yaml.SafeLoader)


def _plain(
    node: yaml.Node | None,
    path: Path,
    lines: dict[Path, int | str],
    problems: list[Problem],
    name: str,
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
                rule = f"'{key}' is written twice here, first on line {first}."
                problems.append(Problem(f"{name}:{line}", rule, "Keep one of the two."))
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
        findings = [_problem(finding, record, document) for finding in error.errors()]
        raise InputError(findings) from error


def _problem(finding: ErrorDetails, record: type[BaseModel], document: Document) -> Problem:
    """A finding of pydantic with its line, a plain sentence and the nearest valid key."""
    path = tuple(part for part in finding["loc"] if not str(part).startswith(TAG))
    kind, key, instead = finding["type"], str(path[-1]) if path else document.name, ""
    if kind == "extra_forbidden":
        rule, instead = (
            f"'{key}' is not a key that is known here.",
            nearest(key, _keys(record) - {key}),
        )
    elif kind == "missing":
        rule = f"'{key}' is missing here."
    elif kind == "value_error":
        rule = str(finding["ctx"]["error"]).rstrip(".") + "."
    elif kind.startswith(("float", "int")):
        rule = f"'{finding['input']}' is not a number that fits '{key}'."
    elif kind == "literal_error":
        rule = f"'{finding['input']}' does not fit '{key}'."
        instead = f"Write {finding['ctx']['expected']}."
    elif kind in ("model_type", "dict_type", "model_attributes_type"):
        rule = f"'{key}' must hold keys with values."
    elif kind in ("tuple_type", "list_type"):
        rule = f"'{key}' must be a list: lines that begin with '- '."
    else:
        rule = f"'{key}': {finding['msg']}."
    return Problem(document.place(path), rule, instead)


def _keys(record: type[BaseModel]) -> set[str]:
    """Every key that the record or a record inside it knows."""
    schema = record.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return {key for part in parts for key in part.get("properties", {})}
