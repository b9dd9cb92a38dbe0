"""Network -> machine code: right-hand side, sparse Jacobian and time derivative.

The rates are differentiated by sympy, written as LLVM IR and compiled by llvmlite; the object
code is kept on disk under the hash of the equations, so a network is compiled once per machine.
The sparse LU of 1/(gamma h) - J is a static plan of index arrays (no pivoting: the diagonal
dominates for the step sizes that the error control admits).
"""

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from polycrine.network.network import Network, read_rate

Ints = NDArray[np.int64]
FORMAT = "2"
_engines: dict[str, Any] = {}
_lock = threading.Lock()


class Plan(NamedTuple):
    """Where the entries of the factorised matrix lie, in the order of elimination.

    order: species in the order of elimination; diagonal: position of each pivot; position of
    each Jacobian entry (jacobian_at); for pivot k the rows below it (lower_at, lower_row) and
    the columns right of it (upper_at, upper_column), and the target of each product.
    """

    size: int
    order: Ints
    diagonal: Ints
    jacobian_at: Ints
    lower_start: Ints
    lower_at: Ints
    lower_row: Ints
    upper_start: Ints
    upper_at: Ints
    upper_column: Ints
    target: Ints


@dataclass(frozen=True)
class Code:
    """Addresses of compiled functions f(t, y, p, out), and the elimination plan.

    rates writes dy/dt, jacobian the nonzero entries of d(dy/dt)/dy in the plan's order, and
    drift the partial derivative of dy/dt with respect to time.
    """

    rates: int
    jacobian: int
    drift: int
    rows: Ints
    columns: Ints
    plan: Plan


def compile_network(network: Network, say: Callable[[str], None] = lambda _: None) -> Code:
    """Machine code for a network, from the disk cache when these equations were met before."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2
    )
    key = "-".join([network.digest, llvm.get_host_cpu_name(), llvmlite.__version__, FORMAT])
    key = hashlib.sha256(key.encode()).hexdigest()[:32]
    stored = cache_folder() / f"{key}.npz"
    if not stored.is_file():
        say(f"compiling the equations ({len(network.species)} variables), once per model")
        _store(stored, network, machine)
    with np.load(stored, allow_pickle=False) as arrays:
        binary, rows, columns = arrays["binary"].tobytes(), arrays["rows"], arrays["columns"]
    with _lock:
        if key not in _engines:
            engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
            engine.add_object_file(llvm.ObjectFileRef.from_data(binary))
            engine.finalize_object()
            _engines[key] = engine
    at = _engines[key].get_function_address
    plan = make_plan(len(network.species), rows, columns)
    return Code(at("rates"), at("jacobian"), at("drift"), rows, columns, plan)


def cache_folder() -> Path:
    """Where compiled equations are kept: $POLYCRINE_CACHE, else the user's cache folder, else a
    temporary one where that cannot be written."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "polycrine"
    folder = Path(os.environ.get("POLYCRINE_CACHE") or user)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="polycrine-"))
    return folder


def _store(path: Path, network: Network, machine: Any) -> None:
    rates, jacobian, drift, rows, columns = differentiate(network)
    names = {species.name: ("y", i) for i, species in enumerate(network.species)}
    names |= {parameter.name: ("p", i) for i, parameter in enumerate(network.parameters)}
    module = ir.Module(name="network")
    _emit(module, "rates", rates, names)
    _emit(module, "jacobian", jacobian, names)
    _emit(module, "drift", drift, names)
    compiled = llvm.parse_assembly(str(module))
    compiled.verify()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(2))
    builder.getModulePassManager().run(compiled, builder)
    binary = np.frombuffer(machine.emit_object(compiled), dtype=np.uint8)
    scratch = path.with_name(f"{path.stem}.{os.getpid()}.npz")
    np.savez(scratch, binary=binary, rows=rows, columns=columns)
    scratch.replace(path)


def differentiate(network: Network) -> tuple[list[Any], list[Any], list[Any], Ints, Ints]:
    """Expressions of dy/dt, of its Jacobian's nonzero entries (with their rows and columns), and
    of its partial time derivative."""
    import sympy

    index = {species.name: i for i, species in enumerate(network.species)}
    symbols = {name: sympy.Symbol(name, real=True) for name in index}
    time = sympy.Symbol("t", real=True)
    known = {**symbols, "t": time}
    known |= {p.name: sympy.Symbol(p.name, real=True) for p in network.parameters}

    def number(value: float) -> Any:
        return sympy.Integer(value) if isinstance(value, int) else sympy.Float(value, 17)

    def read(text: str) -> Any:
        return read_rate(text, known, number, sympy.exp)

    for name, text in network.assignments:
        known[name] = read(text)
    zero = sympy.Integer(0)
    rates, drift = [zero] * len(index), [zero] * len(index)
    entries: dict[tuple[int, int], Any] = {}
    for reaction in network.reactions:
        rate = read(reaction.rate)
        slopes = [
            (index[s.name], rate.diff(s))
            for s in sorted(rate.free_symbols, key=str)
            if s.name in index
        ]
        in_time = rate.diff(time)
        for name, text in reaction.changes:
            row, factor = index[name], read(text)
            rates[row] += factor * rate
            drift[row] += factor * in_time
            for column, slope in slopes:
                entries[row, column] = entries.get((row, column), zero) + factor * slope
    places = sorted(entries)
    rows = np.array([row for row, _ in places], dtype=np.int64)
    columns = np.array([column for _, column in places], dtype=np.int64)
    return rates, [entries[place] for place in places], drift, rows, columns


def _emit(module: ir.Module, name: str, expressions: list[Any], names: dict[str, Any]) -> None:
    """A function that evaluates expressions of t, y and p, and writes them to `out`."""
    double, integer = ir.DoubleType(), ir.IntType(64)
    pointer = double.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [double, pointer, pointer, pointer])
    function = ir.Function(module, kind, name)
    t, y, p, out = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    exponential = module.globals.get("llvm.exp.f64") or ir.Function(
        module, ir.FunctionType(double, [double]), "llvm.exp.f64"
    )
    seen: dict[Any, Any] = {}

    def value(e: Any) -> Any:
        if e not in seen:
            seen[e] = compute(e)
        return seen[e]

    def power(base: Any, exponent: int) -> Any:
        if exponent == 1:
            return base
        half = power(base, exponent // 2)
        square = builder.fmul(half, half)
        return builder.fmul(square, base) if exponent % 2 else square

    def compute(e: Any) -> Any:
        if e.is_Number:
            return ir.Constant(double, float(e))
        if e.is_Symbol:
            if e.name == "t":
                return t
            array, position = names[e.name]
            start = y if array == "y" else p
            return builder.load(builder.gep(start, [ir.Constant(integer, position)]))
        if e.is_Add or e.is_Mul:
            operation = builder.fadd if e.is_Add else builder.fmul
            total = value(e.args[0])
            for argument in e.args[1:]:
                total = operation(total, value(argument))
            return total
        if e.is_Pow and e.exp.is_Integer:
            raised = power(value(e.base), abs(int(e.exp)))
            one = ir.Constant(double, 1.0)
            return raised if e.exp > 0 else builder.fdiv(one, raised)
        if e.func.__name__ == "exp":
            return builder.call(exponential, [value(e.args[0])])
        raise ValueError(f"a rate law cannot hold '{e}'")

    for i, expression in enumerate(expressions):
        builder.store(value(expression), builder.gep(out, [ir.Constant(integer, i)]))
    builder.ret_void()


def make_plan(size: int, rows: Ints, columns: Ints) -> Plan:
    """The order of elimination with least fill (Markowitz), and every position it touches."""
    right: list[set[int]] = [set() for _ in range(size)]
    below: list[set[int]] = [set() for _ in range(size)]
    for i, j in zip(rows.tolist(), columns.tolist(), strict=True):
        if i != j:
            right[i].add(j)
            below[j].add(i)
    filled = {(i, i) for i in range(size)} | set(zip(rows.tolist(), columns.tolist(), strict=True))
    left, order = set(range(size)), []
    lower: list[list[int]] = []
    upper: list[list[int]] = []
    while left:
        pivot = min(left, key=lambda k: (len(right[k]) * len(below[k]), k))
        left.remove(pivot)
        order.append(pivot)
        under, beside = sorted(below[pivot]), sorted(right[pivot])
        lower.append(under)
        upper.append(beside)
        for i in under:
            right[i].discard(pivot)
            new = set(beside) - {i}
            for j in new - right[i]:
                below[j].add(i)
            right[i] |= new
            filled.update((i, j) for j in beside)
        for j in beside:
            below[j].discard(pivot)
    at = {place: k for k, place in enumerate(sorted(filled))}
    places = list(zip(order, lower, upper, strict=True))
    parts = (
        order,
        [at[k, k] for k in order],
        [at[place] for place in zip(rows.tolist(), columns.tolist(), strict=True)],
        [0, *accumulate(map(len, lower))],
        [at[i, k] for k, under, _ in places for i in under],
        [i for _, under, _ in places for i in under],
        [0, *accumulate(map(len, upper))],
        [at[k, j] for k, _, beside in places for j in beside],
        [j for _, _, beside in places for j in beside],
        [at[i, j] for _, under, beside in places for i in under for j in beside],
    )
    return Plan(len(at), *(np.array(part, dtype=np.int64) for part in parts))
