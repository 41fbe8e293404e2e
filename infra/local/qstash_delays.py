"""When QStash tries again: the default backoff, and the sender's own expression."""

import ast
import math
import operator
import re
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

MAX_DELAY_MS = 86_400_000
_UNITS_S = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:\d+[dhms])+")

type Number = int | float
_OPERATORS: dict[type[ast.AST], Callable[..., Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_FUNCTIONS: dict[str, Callable[..., Number]] = {
    "pow": math.pow,
    "sqrt": math.sqrt,
    "abs": abs,
    "exp": math.exp,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
    "min": min,
    "max": max,
}


class DelayError(ValueError):
    """A duration or a delay expression that QStash would refuse."""


def backoff_ms(attempt: int) -> int:
    """Delay before retry number `attempt` (1 is the first): min(86400, e^(2.5 n)) seconds."""
    # Past n = 4 the day's cap holds anyway, and a large n would overflow exp().
    return min(MAX_DELAY_MS, int(math.exp(2.5 * min(attempt, 5)) * 1_000))


def expression_ms(expression: str, retried: int) -> int:
    """Evaluate `Upstash-Retry-Delay`, in milliseconds; `retried` counts from 0.

    Raises DelayError for anything but numbers, arithmetic, `retried` and QStash's functions.
    """
    try:
        value = _evaluate(ast.parse(expression.strip(), mode="eval").body, retried)
    except (SyntaxError, ArithmeticError, TypeError, RecursionError) as error:
        raise DelayError(f"invalid retry delay expression: {expression}") from error
    if math.isnan(value):
        raise DelayError(f"retry delay is not a number: {expression}")
    return int(max(0, min(MAX_DELAY_MS, value)))


def _evaluate(node: ast.expr, retried: int) -> Number:
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id="retried"):
            return retried
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_evaluate(left, retried), _evaluate(right, retried))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_evaluate(operand, retried))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_evaluate(one, retried) for one in arguments))
    raise DelayError(f"not allowed in a retry delay: {ast.unparse(node)}")


def duration_ms(text: str) -> int:
    """A duration such as `10s` or `3d5h12m`; a bare number is seconds."""
    text = text.strip()
    if text.isdigit():
        return int(text) * 1_000
    if not _DURATION.fullmatch(text):
        raise DelayError(f"invalid duration: {text}")
    parts = re.findall(r"(\d+)([dhms])", text)
    return sum(int(count) * _UNITS_S[unit] for count, unit in parts) * 1_000


def retry_after_ms(value: str, now_ms: int) -> int | None:
    """The delay a `Retry-After` answer asks for (seconds or an HTTP date); None if unreadable."""
    value = value.strip()
    if value.isdigit():
        return min(MAX_DELAY_MS, int(value) * 1_000)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    at_ms = int(when.replace(tzinfo=when.tzinfo or UTC).timestamp() * 1_000)
    return max(0, min(MAX_DELAY_MS, at_ms - now_ms))
