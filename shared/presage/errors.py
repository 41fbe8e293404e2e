"""Every error a caller can meet, and the code it travels under.

    PresageError                    500 INTERNAL_ERROR
    ├── BadRequestError             400 BAD_REQUEST
    ├── ValidationFailedError       400 VALIDATION_FAILED      SQLSTATE PR400
    ├── UnauthorizedError           401 UNAUTHORIZED           SQLSTATE PR401
    ├── InsufficientFundsError      402 INSUFFICIENT_FUNDS     SQLSTATE PR402
    ├── ForbiddenError              403 FORBIDDEN              SQLSTATE PR403
    ├── NotFoundError               404 NOT_FOUND              SQLSTATE PR404
    ├── ConflictError               409 CONFLICT               SQLSTATE PR409
    ├── InvalidStateError           409 INVALID_STATE          SQLSTATE PR410
    ├── IdempotencyConflictError    409 IDEMPOTENCY_CONFLICT   SQLSTATE PR411
    ├── UnprocessableError          422 UNPROCESSABLE          SQLSTATE PR422
    ├── RateLimitedError            429 RATE_LIMITED
    ├── UpstreamError               502 UPSTREAM_ERROR
    │   ├── PolymarketError         502 POLYMARKET_ERROR
    │   ├── SolanaError             502 SOLANA_ERROR
    │   └── AiError                 502 AI_ERROR
    └── UnavailableError            503 UNAVAILABLE
        └── AiUnavailableError      503 AI_UNAVAILABLE

A class's docstring is its default message. SQL raises our SQLSTATEs (`errcode = 'PR402'`), names
the field in `column`, and `from_sqlstate` turns them into these classes: nothing matches on text.
"""

from http import HTTPStatus
from typing import Any, ClassVar

from pydantic.alias_generators import to_camel


class PresageError(Exception):
    """Something went wrong on our side."""

    code: ClassVar[str] = "INTERNAL_ERROR"
    status: ClassVar[int] = HTTPStatus.INTERNAL_SERVER_ERROR
    sqlstate: ClassVar[str | None] = None
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str | None = None,
        *,
        field: str | None = None,
        details: dict[str, Any] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.details = dict(details or {})
        if field is not None:
            self.details["field"] = field
        self.retry_after_s = retry_after_s
        super().__init__(self.message)


class BadRequestError(PresageError):
    """The request could not be read."""

    code = "BAD_REQUEST"
    status = HTTPStatus.BAD_REQUEST


class ValidationFailedError(PresageError):
    """A field of the request is not valid."""

    code = "VALIDATION_FAILED"
    status = HTTPStatus.BAD_REQUEST
    sqlstate = "PR400"


class UnauthorizedError(PresageError):
    """Sign in first."""

    code = "UNAUTHORIZED"
    status = HTTPStatus.UNAUTHORIZED
    sqlstate = "PR401"


class InsufficientFundsError(PresageError):
    """The available balance or shares do not cover this."""

    code = "INSUFFICIENT_FUNDS"
    status = HTTPStatus.PAYMENT_REQUIRED
    sqlstate = "PR402"


class ForbiddenError(PresageError):
    """You may not do this."""

    code = "FORBIDDEN"
    status = HTTPStatus.FORBIDDEN
    sqlstate = "PR403"


class NotFoundError(PresageError):
    """There is no such thing."""

    code = "NOT_FOUND"
    status = HTTPStatus.NOT_FOUND
    sqlstate = "PR404"


class ConflictError(PresageError):
    """This contradicts something that already exists."""

    code = "CONFLICT"
    status = HTTPStatus.CONFLICT
    sqlstate = "PR409"


class InvalidStateError(PresageError):
    """The present state does not allow this."""

    code = "INVALID_STATE"
    status = HTTPStatus.CONFLICT
    sqlstate = "PR410"


class IdempotencyConflictError(PresageError):
    """This idempotency key was used with another body."""

    code = "IDEMPOTENCY_CONFLICT"
    status = HTTPStatus.CONFLICT
    sqlstate = "PR411"


class UnprocessableError(PresageError):
    """The request is well formed but cannot be carried out."""

    code = "UNPROCESSABLE"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    sqlstate = "PR422"


class RateLimitedError(PresageError):
    """Too many requests."""

    code = "RATE_LIMITED"
    status = HTTPStatus.TOO_MANY_REQUESTS
    retryable = True


class UpstreamError(PresageError):
    """A service we depend on answered wrongly."""

    code = "UPSTREAM_ERROR"
    status = HTTPStatus.BAD_GATEWAY
    retryable = True


class PolymarketError(UpstreamError):
    """Polymarket answered wrongly."""

    code = "POLYMARKET_ERROR"


class SolanaError(UpstreamError):
    """The Solana RPC answered wrongly."""

    code = "SOLANA_ERROR"


class AiError(UpstreamError):
    """The AI provider answered wrongly."""

    code = "AI_ERROR"


class UnavailableError(PresageError):
    """The service cannot answer at the moment."""

    code = "UNAVAILABLE"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    retryable = True


class AiUnavailableError(UnavailableError):
    """No AI provider is configured."""

    code = "AI_UNAVAILABLE"


def _descendants(root: type[PresageError]) -> list[type[PresageError]]:
    return [root, *(leaf for child in root.__subclasses__() for leaf in _descendants(child))]


ALL_ERRORS: tuple[type[PresageError], ...] = tuple(_descendants(PresageError))
_BY_SQLSTATE = {cls.sqlstate: cls for cls in ALL_ERRORS if cls.sqlstate is not None}


def from_sqlstate(sqlstate: str | None, message: str, field: str | None) -> PresageError | None:
    """The error for one of our SQLSTATEs (`PR4xx`), or None when the code is not ours.

    `field` is a column's or parameter's name; callers know it in camelCase.
    """
    cls = _BY_SQLSTATE.get(sqlstate) if sqlstate else None
    return cls(message, field=to_camel(field) if field else None) if cls else None
