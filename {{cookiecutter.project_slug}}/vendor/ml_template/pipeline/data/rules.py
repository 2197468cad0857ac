"""Cross-column rules of model_config.yaml: `loan_amount <= 20 * income`, true in every row.

A rule is Python's comparison, arithmetic, `and`, `or`, `not` and `in` on columns, numbers and
texts; a column with other than letters, digits and _ in its name stands in backticks. A row where
a column of the rule is missing is not judged.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from ...settings import categories
from ...settings.config import CONFIG_FILE, InputError
from ...tables import arrays
from ...tables.table import Columns, rows

_SIGNS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def broken(rule: str, columns: Columns) -> np.ndarray:
    """Booleans (n,): rows of `columns` that break `rule`; raises InputError for a faulty rule."""
    quoted: dict[str, str] = {}

    def short(found: re.Match[str]) -> str:
        return quoted.setdefault(found[1], f"column_{len(quoted)}_")

    text = re.sub(r"`([^`]+)`", short, rule)
    known = columns | {alias: columns[name] for name, alias in quoted.items() if name in columns}
    try:
        tree = ast.parse(text.strip(), mode="eval")
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        unknown = sorted(used - set(known))
        if unknown or not used:
            raise _RuleError(f"knows no column {unknown[0]!r}" if unknown else "names no column")
        judged = ~reduce(np.logical_or, (arrays.missing(known[column]) for column in used))
        rowwise = {column: known[column][judged] for column in used}
        holds = np.broadcast_to(np.asarray(_value(tree.body, rowwise)), (int(judged.sum()),))
        if holds.dtype != bool:
            raise _RuleError("is neither true nor false")
    except (SyntaxError, TypeError, ValueError, _RuleError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise InputError(f"{CONFIG_FILE}: checks.rules: {rule!r} {reason}") from None
    wrong = np.zeros(rows(columns), dtype=bool)
    wrong[judged] = ~holds
    return wrong


class _RuleError(Exception):
    """What is wrong with a rule."""


def _value(node: ast.expr, columns: Columns) -> Any:
    match node:
        case ast.Name(id=name):
            values = columns[name]
            return arrays.each(values, categories.category) if values.dtype == object else values
        case ast.Constant(value=str() as text):
            return categories.category(text)
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, columns)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return np.logical_not(_value(inner, columns))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _SIGNS:
            with np.errstate(divide="ignore", invalid="ignore"):
                return _SIGNS[type(sign)](_value(left, columns), _value(right, columns))
        case ast.BoolOp(op=word, values=parts):
            join = np.logical_and if isinstance(word, ast.And) else np.logical_or
            return reduce(join, (_value(part, columns) for part in parts))
        case ast.Compare(left=left, ops=signs, comparators=others):
            return _compare(left, signs, others, columns)
    raise _RuleError(f"holds {ast.unparse(node)!r}: use columns, numbers, texts, < <= == + - * /")


def _compare(
    left: ast.expr, signs: list[ast.cmpop], others: list[ast.expr], columns: Columns
) -> Any:
    found: Any = True
    for sign, other in zip(signs, others, strict=True):
        value = _value(left, columns)
        if isinstance(sign, ast.In | ast.NotIn) and isinstance(other, ast.List | ast.Tuple):
            inside = np.isin(value, [_value(part, columns) for part in other.elts])
            found = found & (inside if isinstance(sign, ast.In) else ~inside)
        elif type(sign) in _SIGNS:
            other_value = _value(other, columns)
            if isinstance(other_value, str) and value.dtype.kind == "M":
                other_value = np.datetime64(other_value)
            found = found & _SIGNS[type(sign)](value, other_value)
        else:
            raise _RuleError("holds an unknown comparison")
        left = other
    return found
