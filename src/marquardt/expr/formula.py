"""Formulas: ``"y ~ Vmax*S/(Km + S)"`` becomes an expression graph, by a parser that executes nothing.

Grammar, loosest first; operators mean what they mean in Python, and ``^`` is the same as ``**``::

    formula     [response "~"] expression
    expression  or, and, not, comparisons (chained: 0 < x < 1), + -, * / // %, unary + -, ^ **
    operand     1e-3 | name | `quoted column` | function(expression, ...) | (expression)

A name that is a column is data; ``pi`` is the constant; every other name is a parameter, in order of
appearance (also ``e``: write ``exp(x)``). Names hold letters of any alphabet, digits, ``_`` and inner dots.
A model called by name brings its parameters along, ``gaussian(x)``, or takes those that are written,
``gaussian(x, h, c, w)``; `parse` is told which models there are.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, FormulaError
from .formula_functions import EITHER, FUNCTIONS, Function
from .formula_models import ModelCall, Models, NamedModel, instance
from .formula_tokens import Token, fail, near, tokenize
from .graph import Graph, Node

_MAX_DEPTH = 100  # nested parentheses and signs: an error sentence comes before Python's recursion limit


@dataclass(frozen=True)
class Expression:
    """One side of a formula: ``node`` in ``graph``, where data ``k`` is the column ``data_names[k]``."""

    text: str
    graph: Graph
    node: Node
    param_names: tuple[str, ...]
    data_names: tuple[str, ...]

    def columns(self, data: Mapping[str, Any]) -> tuple[NDArray[np.float64], ...]:
        """The columns of `data` this side uses, in the order of ``data_names``, as float64."""
        return tuple(_column(data, name) for name in self.data_names)

    def __call__(self, data: Mapping[str, Any], **parameters: float) -> NDArray[np.float64]:
        """Value for columns `data` and parameters by name.

        >>> parse("a*x + b", ["x"])({"x": [1.0, 2.0]}, a=3, b=1)
        array([4., 7.])
        """
        from .interpret import interpret

        params = [np.float64(parameters[name]) for name in self.param_names]
        columns = self.columns(data)
        value = interpret((self.node,), params, columns)[0]
        return np.array(np.broadcast_to(value, columns[0].shape)) if columns else np.asarray(value)


@dataclass(frozen=True)
class Formula(Expression):
    """A parsed formula: the fields describe its model side; `response` is the left side, if there is one."""

    response: Expression | None = None
    calls: tuple[ModelCall, ...] = ()
    """The models called by name."""

    def __repr__(self) -> str:
        return f"Formula({self.text!r})"


def parse(text: str, columns: Collection[str] = (), models: Models | None = None) -> Formula:
    """Read a formula; names in `columns` are data, the others parameters; `models` may be called by name.

    >>> formula = parse("v ~ Vmax*S/(Km + S)", columns=["S", "v"])
    >>> formula.param_names, formula.data_names, formula.response.data_names
    (('Vmax', 'Km'), ('S',), ('v',))

    Raises FormulaError, whose message shows the line with carets under the guilty place and says what to do.
    """
    if not isinstance(text, str):
        raise FormulaError(f"a formula is a string such as 'y ~ a*x + b', not {type(text).__name__}")
    return _parse(text, tuple(map(str, columns)), models)


@lru_cache(maxsize=256)
def _parse(text: str, columns: tuple[str, ...], models: Models | None) -> Formula:
    tokens = tokenize(text)
    tildes = [k for k, token in enumerate(tokens) if token.text == "~"]
    if len(tildes) > 1:
        fail(text, tokens[tildes[1]], "a second `~`: a formula has one, between response and model")
    if not tildes:
        return _Side(text, tokens, columns, "formula", models).formula(None)
    cut = tildes[0]
    left = [*tokens[:cut], Token("end", "~", tokens[cut].start, tokens[cut].end)]
    response = _Side(text, left, columns, "response", models).expression()
    return _Side(text, tokens[cut + 1 :], columns, "model", models).formula(response)


def _column(data: Mapping[str, Any], name: str) -> NDArray[np.float64]:
    try:
        values = data[name]
    except KeyError:
        raise DataError(f"the data have no column `{name}`{near(name, [str(k) for k in data])}") from None
    try:
        return np.ascontiguousarray(np.asarray(values, dtype=np.float64).ravel())
    except (TypeError, ValueError) as error:
        raise DataError(f"column `{name}` is not numeric: {error}") from None


# ---------------------------------------------------------------------------------------------------- parser
_COMPARISONS = {"<": "lt", "<=": "le", "==": "eq", "!=": "ne", ">": "lt", ">=": "le"}
_SUMS = {"+": "add", "-": "sub"}
_PRODUCTS = {"*": "mul", "/": "div", "//": "", "%": "mod"}


class _Side:
    """Recursive descent over the tokens of one side; nodes are built as they are read."""

    def __init__(
        self,
        text: str,
        tokens: list[Token],
        columns: Collection[str],
        role: str,
        models: Models | None = None,
    ) -> None:
        self.text, self.tokens, self.known, self.role = text, tokens, frozenset(columns), role
        self.models: Models = models or {}
        self.place = self.depth = 0
        self.graph = Graph()
        self.params: dict[str, Node] = {}
        self.columns: dict[str, Node] = {}
        self.called: set[str] = set()
        self.calls: list[ModelCall] = []
        self.owner: dict[str, str] = {}

    # -- the two results
    def expression(self) -> Expression:
        node = self._whole()
        return Expression(self._source(), self.graph, node, tuple(self.params), tuple(self.columns))

    def formula(self, response: Expression | None) -> Formula:
        node = self._whole()
        calls = tuple(replace(call, whole=call.node is node) for call in self.calls)
        return Formula(self.text, self.graph, node, tuple(self.params), tuple(self.columns), response, calls)

    def _source(self) -> str:
        return self.text[self.tokens[0].start : self.tokens[-1].start].strip()

    def _whole(self) -> Node:
        if len(self.tokens) == 1:
            where = {"response": "left of `~`", "model": "right of `~`"}.get(self.role, "in the formula")
            self._fail(f"nothing stands {where}: write for example `y ~ a*x + b`")
        node = self._any()
        if self.now.kind != "end":
            self._misplaced()
        return node

    # -- moving along the tokens
    @property
    def now(self) -> Token:
        return self.tokens[self.place]

    def _fail(self, problem: str, token: Token | None = None) -> NoReturn:
        fail(self.text, token or self.now, problem)

    def _take(self, *texts: str) -> Token | None:
        """The current token if it is one of the operators `texts`, and move on; else None."""
        if self.now.kind != "op" or self.now.text not in texts:
            return None
        self.place += 1
        return self.tokens[self.place - 1]

    def _misplaced(self) -> NoReturn:
        """The expression is complete but a token follows."""
        before, now = self.tokens[self.place - 1], self.now
        if now.text == ")":
            self._fail("this `)` closes nothing: remove it, or open a `(` before it")
        if now.text == ",":
            self._fail("a comma outside a function's arguments: the decimal sign is the point, as in 0.5")
        if now.kind == "op" and now.text != "(":
            self._fail(f"`{now.text}` cannot follow here")
        if {before.text, now.text} & {"if", "else"}:
            self._fail("conditions are written where(condition, value if true, value otherwise)")
        self._fail(
            f"an operator is missing between `{before.text}` and `{now.text}`: `{before.text}*{now.text}`?"
        )

    # -- one method per level of precedence
    def _any(self) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            self._fail(f"more than {_MAX_DEPTH} levels of nesting: shorten the formula")
        node = self._conjunction()
        while self._take("or"):
            node = self.graph.apply("or", node, self._conjunction())
        self.depth -= 1
        return node

    def _conjunction(self) -> Node:
        node = self._negation()
        while self._take("and"):
            node = self.graph.apply("and", node, self._negation())
        return node

    def _negation(self) -> Node:
        negations = 0
        while self._take("not"):
            negations += 1
        node = self._comparison()
        for _ in range(negations):
            node = self.graph.apply("not", node)
        return node

    def _comparison(self) -> Node:
        """Chains as in Python: ``0 < x < 1`` is ``0 < x and x < 1``."""
        left, chain = self._sum(), None
        while operator := self._take(*_COMPARISONS):
            right = self._sum()
            pair = (right, left) if operator.text[0] == ">" else (left, right)
            link = self.graph.apply(_COMPARISONS[operator.text], *pair)
            chain = link if chain is None else self.graph.apply("and", chain, link)
            left = right
        return left if chain is None else chain

    def _sum(self) -> Node:
        node = self._product()
        while operator := self._take(*_SUMS):
            node = self.graph.apply(_SUMS[operator.text], node, self._product())
        return node

    def _product(self) -> Node:
        node = self._signed()
        while operator := self._take(*_PRODUCTS):
            right = self._signed()
            if operator.text == "//":
                node = self.graph.apply("floor", self.graph.apply("div", node, right))
            else:
                node = self.graph.apply(_PRODUCTS[operator.text], node, right)
        return node

    def _signed(self) -> Node:
        """A sign binds looser than a power: ``-x^2`` is ``-(x^2)``."""
        negative = False
        while sign := self._take("+", "-"):
            negative ^= sign.text == "-"
        node = self._power()
        return self.graph.apply("neg", node) if negative else node

    def _power(self) -> Node:
        """Powers group from the right, and their exponent may carry a sign: ``2^-x^2`` is ``2^(-(x^2))``."""
        base = self._operand()
        if not self._take("^", "**"):
            return base
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            self._fail(f"more than {_MAX_DEPTH} levels of nesting: shorten the formula")
        exponent = self._signed()
        self.depth -= 1
        return self.graph.apply("pow", base, exponent)

    def _operand(self) -> Node:
        token = self.now
        self.place += 1
        if token.kind == "number":
            return self.graph.const(float(token.text))
        if token.kind == "quoted":
            return self._quoted(token)
        if token.kind == "name":
            return self._call(token) if self._take("(") else self._name(token)
        if token.text == "(":
            node = self._any()
            self._close(token)
            return node
        self.place -= 1
        self._no_operand(token)

    def _no_operand(self, token: Token) -> NoReturn:
        before = self.tokens[self.place - 1] if self.place else None
        if token.text == ")" and before is not None and before.text == "(":
            self._fail("nothing stands between these parentheses")
        if token.kind == "end" and before is not None:
            self._fail(f"the {self.role} ends after `{before.text}`: something is missing there")
        what = "a number, a name or `(`"
        after = f" after `{before.text}`" if before is not None else ""
        self._fail(f"{what} is expected{after}, not `{token.text}`")

    def _close(self, opening: Token) -> None:
        if self._take(")"):
            return
        if self.now.kind == "end":
            self._fail("this `(` is never closed: a `)` is missing", opening)
        self._misplaced()

    # -- names
    def _quoted(self, token: Token) -> Node:
        name = token.text[1:-1]
        if name not in self.known:
            self._fail(f"there is no column `{name}`{self._columns_hint(name)}", token)
        return self._data(name)

    def _data(self, name: str) -> Node:
        if name not in self.columns:
            self.columns[name] = self.graph.data(len(self.columns))
        return self.columns[name]

    def _columns_hint(self, name: str) -> str:
        names = ", ".join(sorted(self.known)[:12]) + (", ..." if len(self.known) > 12 else "")
        return near(name, self.known) or f"; the columns are: {names or '(none)'}"

    def _name(self, token: Token) -> Node:
        name = token.text
        if name in self.known:
            return self._data(name)
        if name == "pi":
            return self.graph.const(math.pi)
        if name in FUNCTIONS and (name not in EITHER or name in self.called):
            self._fail(f"`{name}` is a function: write `{name}(...)`, or rename the parameter", token)
        if self.role == "response":
            why = "is not a column, and a response cannot hold parameters"
            self._fail(f"`{name}` {why}{self._columns_hint(name)}", token)
        if name in self.owner:
            model = self.owner[name]
            self._fail(
                f"`{name}` is already a parameter of `{model}(...)`: use another name, or write out the "
                f"parameters of `{model}`",
                token,
            )
        return self._param(name)

    def _param(self, name: str) -> Node:
        if name not in self.params:
            self.params[name] = self.graph.param(len(self.params))
        return self.params[name]

    def _call(self, token: Token) -> Node:
        name, opening = token.text, self.tokens[self.place - 1]
        function, product = FUNCTIONS.get(name), f"; for a product write `{name}*(...)`"
        model = self.models.get(name) if function is None else None
        if function is None and model is None:
            like = "" if name in self.known or name in self.params else near(name, [*FUNCTIONS, *self.models])
            self._fail(f"there is no function `{name}`{like or product}", token)
        if name in self.known:
            self._fail(f"`{name}` is both a function and a column: rename the column{product}", token)
        if name in self.params:
            self._fail(f"`{name}` is used as a parameter and as a function: rename the parameter", token)
        self.called.add(name)
        arguments = self._arguments(opening)
        if model is not None:
            return self._model(model, arguments, token)
        assert function is not None
        self._check_count(token, function, len(arguments))
        if function.order and arguments[0].op != "const":
            self._fail(f"the first argument of `{name}` is its order, a plain number", token)
        return function.build(self.graph, *arguments)

    def _model(self, model: NamedModel, given: list[Node], token: Token) -> Node:
        """A model with its own parameters, or with those given after its variables."""
        if self.role == "response":
            self._fail(f"`{model.name}` is a model: it belongs right of `~`", token)
        if len(given) == model.n_x:
            given = given + [self._own(name, model, token) for name in model.arguments[model.n_x :]]
        if len(given) != len(model.arguments):
            short, full = ", ".join(model.arguments[: model.n_x]), ", ".join(model.arguments)
            self._fail(f"write `{model.name}({short})`, or with all parameters `{model.name}({full})`", token)
        node = instance(self.graph, model, given)
        self.calls.append(ModelCall(model.name, tuple(given[: model.n_x]), tuple(given[model.n_x :]), node))
        return node

    def _own(self, name: str, model: NamedModel, token: Token) -> Node:
        """A parameter that a model brings along: its name must be free."""
        if name in self.known:
            what = "a column"
        elif name in self.owner:
            what = f"a parameter of `{self.owner[name]}(...)`"
        elif name in self.params:
            what = "a parameter of the formula"
        else:
            self.owner[name] = model.name
            return self._param(name)
        names = ", ".join([*model.arguments[: model.n_x], *[f"{n}_1" for n in model.arguments[model.n_x :]]])
        self._fail(
            f"the parameter `{name}` of `{model.name}` is already {what}: name its parameters, as in "
            f"`{model.name}({names})`",
            token,
        )

    def _arguments(self, opening: Token) -> list[Node]:
        if self._take(")"):
            return []
        arguments = [self._any()]
        while self._take(","):
            arguments.append(self._any())
        self._close(opening)
        return arguments

    def _check_count(self, token: Token, function: Function, given: int) -> None:
        most = function.most
        if given < function.least or (most is not None and given > most):
            wanted = {None: f"at least {function.least}", function.least: f"{function.least}"}.get(
                most, f"{function.least} or {most}"
            )
            noun = "argument" if wanted == "1" else "arguments"
            self._fail(f"`{token.text}` takes {wanted} {noun}, not {given}", token)
