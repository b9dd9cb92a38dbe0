"""The entries of the driver: what unpacks addresses into arrays and calls the integrator."""

from typing import Any

from numba import cfunc, types
from numba.extending import intrinsic
from numba.np import arrayobj

from polycrine.engine.driver import STAGES
from polycrine.engine.foresight import foresee
from polycrine.engine.rosenbrock import advance
from polycrine.network.code import Plan

WORD = 8


def _view(kind: Any, dimensions: int) -> Any:
    """An intrinsic: the array of a kind at an address, of a shape."""
    array = types.Array(kind, dimensions, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = arrayobj.make_array(array)(context, builder)
        pointer = context.get_data_type(kind).as_pointer()
        shape, size = list(arguments[1:]), context.get_constant(types.intp, WORD)
        strides = [size]
        for extent in reversed(shape[1:]):
            strides.insert(0, builder.mul(strides[0], extent))
        data = builder.inttoptr(arguments[0], pointer)
        place = {"shape": shape, "strides": strides, "itemsize": size, "meminfo": None}
        arrayobj.populate_array(made, data=data, **place)
        return made._getvalue()

    def of_one(typingctx: Any, address: Any, n: Any) -> Any:
        return array(types.intp, types.intp), generate

    def of_two(typingctx: Any, address: Any, n: Any, m: Any) -> Any:
        return array(types.intp, types.intp, types.intp), generate

    return intrinsic(of_one if dimensions == 1 else of_two)


_floats, _table, _ints = _view(types.float64, 1), _view(types.float64, 2), _view(types.int64, 1)


def _advance(f: Any) -> Any:
    n, parameters, entries, size, conditions, rows, products, lower, upper, most = (
        f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9],
    )  # fmt: skip
    numbers, at = _floats(f[15], 4), f[21]
    plan = Plan(
        size, _ints(f[22], n), _ints(f[23], n), _ints(f[24], entries),
        _ints(f[25], n + 1), _ints(f[26], lower), _ints(f[27], lower),
        _ints(f[28], n + 1), _ints(f[29], upper), _ints(f[30], upper), _ints(f[31], products),
    )  # fmt: skip
    stages = at + WORD * (entries + 2 * n + size)
    trial = stages + WORD * STAGES * n
    c = conditions
    now = trial + WORD * n
    room = (
        _floats(at, entries), _floats(at + WORD * entries, n),
        _floats(at + WORD * (entries + n), n), _floats(at + WORD * (entries + 2 * n), size),
        _table(stages, STAGES, n), _floats(trial, n), _floats(now, c), _floats(now + WORD * c, c),
        _floats(now + WORD * 2 * c, c), _floats(now + WORD * 3 * c, c),
        _floats(now + WORD * 4 * c, c),
    )  # fmt: skip
    status, numbers[0], numbers[2] = advance(
        _ints(f[10], 5), _ints(f[11], entries), plan, _floats(f[12], n), _floats(f[13], n),
        _floats(f[14], parameters), numbers[0], numbers[1], numbers[2],
        (numbers[3], _floats(f[16], n), most), _floats(f[17], 2), _floats(f[18], c),
        _floats(f[19], rows), _table(f[20], rows, n), room,
    )  # fmt: skip
    return status


def _foresee(f: Any) -> Any:
    numbers, held, sides = _floats(f[6], 2), _floats(f[9], f[2]), 2 * f[3]
    numbers[1] = foresee(
        f[4], f[5], f[3], numbers[0], _floats(f[7], f[0]), _floats(f[8], f[1]), held,
        _floats(f[10], sides), _floats(f[10] + WORD * sides, f[2]),
    )  # fmt: skip
    return 0


def compiled() -> list[tuple[str, str, bytes]]:
    """Of each entry its name, the name of its symbol and its object code."""
    signature = types.int64(types.CPointer(types.int64))
    found = []
    for name, function in (("advance", _advance), ("foresee", _foresee)):
        entry = cfunc(signature, nopython=True, error_model="numpy", _nrt=False)(function)
        code = bytes(entry._library._get_compiled_object())
        if b"NRT_" in code:
            raise RuntimeError(f"'{name}' asks for numba's runtime; it could not run without it")
        found.append((name, entry.native_name, code))
    return found
