"""The integrator and what looks ahead for it, as machine code that needs no numba to run.

numba compiles `advance` and `foresee` once per machine; their object code is kept beside that of
the networks. A later process loads it by llvmlite and so starts in a third of the time. Both are
called with one array of addresses and sizes; ctypes lets other threads go on meanwhile.
"""

import ctypes
import hashlib
import os
import threading
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from polycrine.network.code import Code, cache_folder, target_machine
from polycrine.network.network import Floats

NOTHING, NOWHERE = np.empty(0), np.empty((0, 0))
STAGES = 6  # of a step
SOURCES = ("rosenbrock.py", "foresight.py", "entries.py", "status.py", "driver.py")
MATHEMATICS = ("frexp", "ldexp", "nextafter")
RAISING = (
    *("numba_gil_ensure", "numba_gil_release", "numba_unpickle", "numba_do_raise"),
    "numba_runtime_build_excinfo_struct",
)
FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
RATES = ctypes.CFUNCTYPE(None, ctypes.c_double, *[ctypes.c_void_p] * 3)
_lock = threading.Lock()
_engines: list[Any] = []  # they own the code


@cache
def _function(name: str) -> Any:
    """A compiled entry by name, from the cache folder where it was compiled before."""
    with _lock:
        here = Path(__file__).parent
        told = b"".join((here / source).read_bytes() for source in SOURCES)
        told += repr((llvm.get_host_cpu_name(), version("numba"), version("numpy"))).encode()
        stored = cache_folder() / f"driver-{hashlib.sha256(told).hexdigest()[:24]}.npz"
        if not stored.is_file():
            _compile(stored)
        with np.load(stored, allow_pickle=False) as file:
            names = dict(zip(file["entries"].tolist(), file["names"].tolist(), strict=True))
            binary = file[f"binary_{name}"].tobytes()
        _name_what_is_called()
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())
        engine.add_object_file(llvm.ObjectFileRef.from_data(binary))
        engine.finalize_object()
        _engines.append(engine)
        return FUNCTION(engine.get_function_address(names[name]))


def _name_what_is_called() -> None:
    """Where the code finds what numba calls by names of its own: mathematics of the C library; what
    raises exceptions is never reached, for nothing in the code can raise one."""
    library = ctypes.CDLL(None) if os.name == "posix" else ctypes.CDLL("ucrtbase")
    names = dict.fromkeys(RAISING, "abort") | {f"numba_{name}": name for name in MATHEMATICS}
    for symbol, name in names.items():
        if llvm.address_of_symbol(symbol) is None:  # numba, where it is loaded, named it itself
            llvm.add_symbol(symbol, ctypes.cast(getattr(library, name), ctypes.c_void_p).value)


def _compile(stored: Path) -> None:
    from polycrine.engine.entries import compiled

    found = compiled()
    scratch = stored.with_name(f"{stored.stem}.{os.getpid()}.npz")
    binaries = {f"binary_{entry}": np.frombuffer(code, np.uint8) for entry, _, code in found}
    names = np.array([symbol for _, symbol, _ in found])
    entries = np.array([entry for entry, _, _ in found])
    np.savez(scratch, allow_pickle=False, entries=entries, names=names, **binaries)
    scratch.replace(stored)


def evaluate(address: int, t: float, y: Floats, p: Floats, out: Floats) -> None:
    """Write f(t, y, p) of compiled code into `out`."""
    RATES(address)(t, y.ctypes.data, p.ctypes.data, out.ctypes.data)


def advance(
    code: Code,
    free: Floats,
    y: Floats,
    p: Floats,
    t: float,
    end: float,
    h: float,
    limits: tuple[float, Floats, int],
    counts: Floats,
    held: Floats = NOTHING,
    grid: Floats = NOTHING,
    seen: Floats = NOWHERE,
) -> tuple[int, float, float]:
    """`rosenbrock.advance` of one member: y, counts and seen in place; (status, time, step)."""
    rtol, atol, most = limits
    n, plan = y.size, code.plan
    room = np.empty(code.rows.size + plan.size + (3 + STAGES) * n + 5 * held.size)
    addresses, numbers = code.addresses, np.array([t, end, h, rtol])
    arrays = (addresses, code.rows, free, y, p, numbers, atol, counts, held, grid, seen, room)
    sizes = (
        *(n, p.size, code.rows.size, plan.size, held.size, grid.size),
        *(plan.target.size, plan.lower_at.size, plan.upper_at.size, most),
    )
    frame = np.array([*sizes, *(a.ctypes.data for a in (*arrays, *plan[1:]))], dtype=np.int64)
    status = _function("advance")(frame.ctypes.data)
    return status, float(numbers[0]), float(numbers[2])


def foresee(code: Code, t: float, y: Floats, p: Floats, held: Floats) -> float:
    """`foresight.foresee` of one member: held in place; the time that it returns."""
    numbers, sides = np.array([t, 0.0]), np.empty(2 * code.clocks + held.size)
    sizes = (y.size, p.size, held.size, code.clocks, code.watched, code.crossings)
    arrays = (numbers, y, p, held, sides)
    frame = np.array([*sizes, *(a.ctypes.data for a in arrays)], dtype=np.int64)
    _function("foresee")(frame.ctypes.data)
    return float(numbers[1])
