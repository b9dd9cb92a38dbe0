"""Terms of a graph as a function in LLVM's intermediate language."""

from typing import Any

from llvmlite import ir

from polycrine.network.expressions import COMPARISONS
from polycrine.network.graph import Graph, Node, Term, is_whole

DOUBLE, INTEGER = ir.DoubleType(), ir.IntType(64)
POINTER = DOUBLE.as_pointer()
SIGNATURE = ir.FunctionType(ir.VoidType(), [DOUBLE, POINTER, POINTER, POINTER])
ONE, ZERO = ir.Constant(DOUBLE, 1.0), ir.Constant(DOUBLE, 0.0)
INTRINSIC = {"exp": "exp", "log": "log", "sin": "sin", "cos": "cos", "floor": "floor"}
INTRINSIC |= {"ceil": "ceil", "abs": "fabs"}  # others are the C library's
COMPARED = frozenset(COMPARISONS.values())


def write_function(
    module: ir.Module, name: str, graph: Graph, terms: list[Term], names: dict[str, Any]
) -> None:
    """Add void name(double t, double* y, double* p, double* out), which writes terms to `out`.

    names: of each symbol but t, the array (y or p) that it stands in, and its position there.
    """
    function = ir.Function(module, SIGNATURE, name)
    writer = _Writer(module, function, graph, names)
    for at in graph.needed(terms):
        writer.found[at] = writer.compute(graph.nodes[at])
    for i, term in enumerate(terms):
        place = writer.builder.gep(function.args[3], [ir.Constant(INTEGER, i)])
        writer.builder.store(writer.found[term.at], place)
    writer.builder.ret_void()


class _Writer:
    """Writes one function; found: the value of each position of the graph so far."""

    def __init__(self, module: ir.Module, function: Any, graph: Graph, names: dict[str, Any]):
        self.module, self.graph, self.names = module, graph, names
        self.time, self.y, self.p, _ = function.args
        self.builder = ir.IRBuilder(function.append_basic_block())
        self.found: dict[int, Any] = {}

    def compute(self, node: Node) -> Any:
        """The value of a node whose parts are found."""
        b, parts = self.builder, [self.found[part] for part in node.parts]
        match node.operation:
            case "number":
                return ir.Constant(DOUBLE, node.value)
            case "symbol":
                return self._load(node.value)
            case "add":
                return b.fadd(*parts)
            case "multiply":
                return b.fmul(*parts)
            case "divide":
                return b.fdiv(*parts)
            case "power":
                return self._power(parts[0], parts[1], Term(self.graph, node.parts[1]).value)
            case "choose":
                return b.select(self._holds(parts[0]), parts[1], parts[2])
            case "and" | "or" | "not" as word:
                return self._logic(word, [self._holds(part) for part in parts])
            case "factorial":
                return self._call("tgamma", b.fadd(parts[0], ONE))
            case name if name in COMPARED:
                return b.uitofp(b.fcmp_ordered(name, *parts), DOUBLE)
            case name:
                known = f"llvm.{INTRINSIC[name]}.f64" if name in INTRINSIC else name
                return self._call(known, *parts)

    def _load(self, name: str) -> Any:
        if name == "t":
            return self.time
        array, position = self.names[name]
        start = self.y if array == "y" else self.p
        return self.builder.load(self.builder.gep(start, [ir.Constant(INTEGER, position)]))

    def _call(self, symbol: str, *arguments: Any) -> Any:
        kind = ir.FunctionType(DOUBLE, [DOUBLE] * len(arguments))
        target = self.module.globals.get(symbol) or ir.Function(self.module, kind, symbol)
        return self.builder.call(target, arguments)

    def _holds(self, value: Any) -> Any:
        return self.builder.fcmp_ordered("!=", value, ZERO)

    def _logic(self, word: str, parts: list[Any]) -> Any:
        b = self.builder
        joined = {"and": b.and_, "or": b.or_, "not": b.not_}[word](*parts)
        return b.uitofp(joined, DOUBLE)

    def _power(self, base: Any, exponent: Any, known: float | None) -> Any:
        """A power by products where the exponent is whole; 0 where a base that should be zero
        lies below it and the exponent is not whole."""
        b = self.builder
        if known is not None and is_whole(known):
            raised = self._product(base, abs(int(known)))
            return raised if known > 0 else b.fdiv(ONE, raised)
        whole = b.fcmp_ordered("==", self._call("llvm.floor.f64", exponent), exponent)
        fine = b.or_(b.fcmp_ordered(">=", base, ZERO), whole)
        return self._call("llvm.pow.f64", b.select(fine, base, ZERO), exponent)

    def _product(self, base: Any, times: int) -> Any:
        if times == 1:
            return base
        half = self._product(base, times // 2)
        square = self.builder.fmul(half, half)
        return self.builder.fmul(square, base) if times % 2 else square
