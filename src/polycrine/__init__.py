"""polycrine simulates cytokine signalling from one secreting cell to the blood test."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polycrine.model.model import Model as Model
    from polycrine.results.run import Run as Run
    from polycrine.results.run import load_run as load_run
    from polycrine.runs.run import resume as resume
    from polycrine.runs.run import run as run
    from polycrine.scenarios.library import load as load

_HOME = {
    "Model": "polycrine.model.model",
    "Run": "polycrine.results.run",
    "load": "polycrine.scenarios.library",
    "load_run": "polycrine.results.run",
    "resume": "polycrine.runs.run",
    "run": "polycrine.runs.run",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'polycrine' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)
