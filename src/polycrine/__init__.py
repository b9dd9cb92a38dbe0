"""polycrine simulates cytokine signalling from one secreting cell to the blood test."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polycrine.model.model import Model as Model
    from polycrine.results.run import Run as Run
    from polycrine.results.run import load_run as load_run
    from polycrine.results.sweep import Sweep as Sweep
    from polycrine.results.sweep import load_sweep as load_sweep
    from polycrine.runs.run import resume as resume
    from polycrine.runs.run import run as run
    from polycrine.runs.sweep import sweep as sweep
    from polycrine.scenarios.library import load as load
    from polycrine.scenarios.library import load_plan as load_plan

_HOME = {
    "Model": "polycrine.model.model",
    "Run": "polycrine.results.run",
    "Sweep": "polycrine.results.sweep",
    "load": "polycrine.scenarios.library",
    "load_plan": "polycrine.scenarios.library",
    "load_run": "polycrine.results.run",
    "load_sweep": "polycrine.results.sweep",
    "resume": "polycrine.runs.run",
    "run": "polycrine.runs.run",
    "sweep": "polycrine.runs.sweep",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'polycrine' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)
