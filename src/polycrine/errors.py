"""What can go wrong, and what the user is told.

PolycrineError
├── InputError      something written by the user is wrong; nothing ran
├── UnitError       a text quantity does not have the dimension that is needed (also a ValueError)
└── NumericsError   the numbers failed: no step size satisfies the tolerances
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class PolycrineError(Exception):
    """The root of every error that polycrine raises on purpose."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where it stands, which rule it breaks, what to write instead."""

    place: str
    rule: str
    instead: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}" + (f" {self.instead}" if self.instead else "")


class InputError(PolycrineError):
    """Carries every problem of an input at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def wrong(place: str, rule: str, instead: str = "") -> InputError:
    """The error of an input with a single problem."""
    return InputError([Problem(place, rule, instead)])


class UnitError(PolycrineError, ValueError):
    """A text quantity that cannot be read, or that has the wrong dimension."""


class NumericsError(PolycrineError):
    """An integration that could not go on; says where and why."""

    exit_code = 3


def nearest(name: str, valid: Iterable[str]) -> str:
    """A sentence that offers the nearest valid names; a short list is given whole."""
    folded = {candidate.casefold(): candidate for candidate in sorted(set(valid))}
    close = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)
    if close:
        return "Did you mean " + " or ".join(f"'{folded[match]}'" for match in close) + "?"
    return f"Valid: {', '.join(folded.values())}." if 0 < len(folded) <= 20 else ""
