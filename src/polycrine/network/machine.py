"""Terms of a graph as a function in LLVM's intermediate language."""

from typing import Any

from llvmlite import ir

from polycrine.network.expressions import COMPARISONS
from polycrine.network.graph import Graph, Node, Term, is_whole

DOUBLE, INTEGER = ir.DoubleType(), ir.IntType(64)
POINTER = DOUBLE.as_pointer()
LANES = 16  # states side by side in a row of an array
WIDTH = 8  # of these, how many one call of compiled code takes
WORD = 8  # bytes
INTRINSIC = {"exp": "exp", "log": "log", "sin": "sin", "cos": "cos", "floor": "floor"}
INTRINSIC |= {"ceil": "ceil", "abs": "fabs"}  # others are the C library's
COMPARED = frozenset(COMPARISONS.values())


def write_function(
    module: ir.Module,
    name: str,
    graph: Graph,
    terms: list[Term],
    names: dict[str, Any],
    lanes: int = 1,
) -> None:
    """Add void name(double t, double* y, double* p, double* out), which writes terms to `out`.

    names: of each symbol but t, the array (y or p) that it stands in, and its position there.
    lanes: WIDTH, where t is a pointer too, and every array has one row of LANES per position.
    """
    time = DOUBLE if lanes == 1 else POINTER
    signature = ir.FunctionType(ir.VoidType(), [time, POINTER, POINTER, POINTER])
    function = ir.Function(module, signature, name)
    writer = _Writer(module, function, graph, names, lanes)
    for at in graph.needed(terms):
        writer.found[at] = writer.compute(graph.nodes[at])
    for i, term in enumerate(terms):
        store = writer.builder.store(writer.found[term.at], writer.place(function.args[3], i))
        store.align = WORD
    writer.builder.ret_void()


class _Writer:
    """Writes one function; found: the value of each position of the graph so far."""

    def __init__(
        self, module: ir.Module, function: Any, graph: Graph, names: dict[str, Any], lanes: int
    ):
        self.module, self.graph, self.names, self.lanes = module, graph, names, lanes
        self.stride = 1 if lanes == 1 else LANES
        self.kind = DOUBLE if lanes == 1 else ir.VectorType(DOUBLE, lanes)
        self.suffix = "f64" if lanes == 1 else f"v{lanes}f64"
        self.one, self.zero = self.constant(1.0), self.constant(0.0)
        time, self.y, self.p, _ = function.args
        self.builder = ir.IRBuilder(function.append_basic_block())
        self.time = time if lanes == 1 else self._at(time, 0)
        self.found: dict[int, Any] = {}

    def constant(self, value: float) -> Any:
        """A number, the same in every lane."""
        return ir.Constant(self.kind, value if self.lanes == 1 else [value] * self.lanes)

    def place(self, array: Any, position: int) -> Any:
        """A pointer to what stands at a position of an array."""
        pointer = self.builder.gep(array, [ir.Constant(INTEGER, position * self.stride)])
        return pointer if self.lanes == 1 else self.builder.bitcast(pointer, self.kind.as_pointer())

    def _at(self, array: Any, position: int) -> Any:
        value = self.builder.load(self.place(array, position))
        value.align = WORD
        return value

    def compute(self, node: Node) -> Any:
        """The value of a node whose parts are found."""
        b, parts = self.builder, [self.found[part] for part in node.parts]
        match node.operation:
            case "number":
                return self.constant(node.value)
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
                return self._call("tgamma", b.fadd(parts[0], self.one))
            case name if name in COMPARED:
                return b.uitofp(b.fcmp_ordered(name, *parts), self.kind)
            case name if name in INTRINSIC:
                return self._intrinsic(INTRINSIC[name], *parts)
            case name:
                return self._call(name, *parts)

    def _load(self, name: str) -> Any:
        if name == "t":
            return self.time
        array, position = self.names[name]
        return self._at(self.y if array == "y" else self.p, position)

    def _function(self, symbol: str, kind: Any, count: int) -> Any:
        known = self.module.globals.get(symbol)
        return known or ir.Function(self.module, ir.FunctionType(kind, [kind] * count), symbol)

    def _intrinsic(self, name: str, *arguments: Any) -> Any:
        target = self._function(f"llvm.{name}.{self.suffix}", self.kind, len(arguments))
        return self.builder.call(target, arguments)

    def _call(self, symbol: str, argument: Any) -> Any:
        """A function of the C library, lane by lane."""
        target, b = self._function(symbol, DOUBLE, 1), self.builder
        if self.lanes == 1:
            return b.call(target, [argument])
        result = self.zero
        for lane in range(self.lanes):
            place = ir.Constant(ir.IntType(32), lane)
            value = b.call(target, [b.extract_element(argument, place)])
            result = b.insert_element(result, value, place)
        return result

    def _holds(self, value: Any) -> Any:
        return self.builder.fcmp_ordered("!=", value, self.zero)

    def _logic(self, word: str, parts: list[Any]) -> Any:
        b = self.builder
        joined = {"and": b.and_, "or": b.or_, "not": b.not_}[word](*parts)
        return b.uitofp(joined, self.kind)

    def _power(self, base: Any, exponent: Any, known: float | None) -> Any:
        """A power by products where the exponent is whole; 0 where a base that should be zero
        lies below it and the exponent is not whole."""
        b = self.builder
        if known is not None and is_whole(known):
            raised = self._product(base, abs(int(known)))
            return raised if known > 0 else b.fdiv(self.one, raised)
        whole = b.fcmp_ordered("==", self._intrinsic("floor", exponent), exponent)
        fine = b.or_(b.fcmp_ordered(">=", base, self.zero), whole)
        return self._intrinsic("pow", b.select(fine, base, self.zero), exponent)

    def _product(self, base: Any, times: int) -> Any:
        if times == 1:
            return base
        half = self._product(base, times // 2)
        square = self.builder.fmul(half, half)
        return self.builder.fmul(square, base) if times % 2 else square
