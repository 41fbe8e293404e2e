"""`api()`: everything between API Gateway and a service, driven by the route's row.

In order: request id, authentication, rate limit, validation, the service call, envelope, security
headers. Session, limits and cached answer travel in one Redis flush; the service makes its own
single flush to Postgres. This is the one place that catches what nobody named.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import islice
from typing import Any

import orjson
from pydantic import ValidationError

from presage import clock, metrics, traffic
from presage.adapters import redis
from presage.call import Actor, Call
from presage.edge import auth, cache, limits, origin, reporting
from presage.edge.request import Request
from presage.errors import (
    ForbiddenError,
    PresageError,
    RateLimitedError,
    UnauthorizedError,
    UnavailableError,
    ValidationFailedError,
)
from presage.identity import sessions
from presage.routes import (
    ANONYMOUS_LIMIT_PER_MIN,
    ROUTES,
    SERVICE_LIMIT_PER_MIN,
    USUAL_LIMIT_PER_MIN,
    Route,
)
from presage.schema import Document, Page, Paged, RequestModel, ResponseModel

MAX_PROBLEMS = 20
MAX_COST = 20
_KEY = re.compile(r"[!-~]{1,128}")
MAX_FIELD_CHARS = 100
SECURITY_HEADERS = {
    "Content-Type": "application/json",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}

type Answer = dict[str, Any]
type Result[ResponseT: ResponseModel] = ResponseT | Page[ResponseT] | Paged[ResponseT] | Document
type Service[RequestT: RequestModel, ResponseT: ResponseModel] = Callable[
    [Call, RequestT], Result[ResponseT]
]


@dataclass(frozen=True)
class Api[RequestT: RequestModel, ResponseT: ResponseModel]:
    """A Lambda handler for one route; its models are what openapi.json is made from."""

    route: Route
    service: Service[RequestT, ResponseT]
    request_model: type[RequestT]
    response_model: type[ResponseT] | None

    def __call__(self, event: dict[str, Any], context: object) -> Answer:  # noqa: ARG002 - Lambda's
        """Serve one API Gateway HTTP API event (payload 2.0)."""
        began = time.perf_counter()
        request = Request.from_event(event)
        call = Call(
            zone=self.route.zone,
            now=clock.now(),
            request_id=request.request_id,
            ip=request.ip,
            user_agent=request.headers.get("user-agent", "")[:200],
            accept=request.headers.get("accept", ""),
            idempotency_key=request.headers.get("idempotency-key"),
        )
        try:
            answer = self._serve(call, request)
        except PresageError as error:
            if isinstance(error, UnauthorizedError) and sessions.COOKIE in request.cookies:
                # A script cannot drop an HttpOnly cookie that has gone stale.
                call.cookies.append(sessions.CLEAR_COOKIE)
            answer = failure(call, error)
        except Exception as error:  # noqa: BLE001 - the edge is where the unexpected ends
            reporting.unhandled(call, self.route.stem, error)
            answer = failure(call, PresageError())
        reporting.served(call, self.route.stem, answer["statusCode"], began)
        return answer

    def _serve(self, call: Call, request: Request) -> Answer:
        call.ip = origin.caller_ip(request, self.route)
        stored = self._admit(call, request)
        if stored.entry is not None:
            return cache.answer(call, self.route, stored.entry, request.headers, SECURITY_HEADERS)
        asked = self._validate(request)
        result = self.service(call, asked)
        if isinstance(result, Document):
            kind = {"Content-Type": self.route.document}
            return _answer(call, self.route.status, result.body, kind | result.headers)
        data, pagination = _render(result)
        if self.route.cache_s:
            entry = cache.store(
                call, request, data, pagination, self.route.cache_s, fill=stored.fill
            )
            return cache.answer(call, self.route, entry, request.headers, SECURITY_HEADERS)
        cache.drop(call)
        return success(call, call.status or self.route.status, data, pagination)

    def _admit(self, call: Call, request: Request) -> cache.Found:
        """Authenticate and count the caller in one Redis flush; a stored answer if there is one."""
        shown = self._shown(request)
        now_ms = clock.to_ms(call.now)
        counted = self._limits(call, shown)
        cost = _cost(self.route, request)
        commands: list[redis.Command] = [limit.command(now_ms, cost) for limit in counted]
        commands += traffic.count_request(now_ms)
        if shown:
            commands.append(shown.command())
        if self.route.cache_s:
            commands.append(cache.look_up(request, now_ms, self.route.cache_s))
        results = redis.flush(commands)
        left = results[: len(counted)] if results else []
        if results:
            self._refuse_excess(counted, left, now_ms)
            call.headers.update(limits.headers(counted, left, now_ms))
        elif self.route.login:
            sessions.count_login_attempt(call, self.route.stem, self.route.limit_per_min)
        if shown:
            copy = results[-2 if self.route.cache_s else -1] if results else None
            call.actor = self._caller(call, shown, copy, now_ms)
        if self.route.auth != "public":
            auth.require(call.actor, self.route)
        return cache.found(results[-1]) if results and self.route.cache_s else cache.NOTHING

    def _shown(self, request: Request) -> auth.Credential | None:
        """The caller's credential; on a public route an unusable one is as good as none."""
        try:
            return auth.credential(request)
        except (UnauthorizedError, ForbiddenError):
            if self.route.auth == "public":
                return None
            raise

    def _caller(
        self, call: Call, shown: auth.Credential, copy: str | None, now_ms: int
    ) -> Actor | None:
        """Whom the credential stands for; nobody, on a public route, when it is not usable."""
        actor = auth.from_copy(call, shown, copy)
        if actor is not None:
            return actor
        # An unknown token costs its sender's address, or guessing would be free of limits.
        by_ip = [_anonymous(call)]
        results = redis.flush([limit.command(now_ms) for limit in by_ip])
        if results:
            self._refuse_excess(by_ip, results, now_ms)
        try:
            actor, leave_copy = auth.from_postgres(call, shown)
        except (UnauthorizedError, ForbiddenError):
            if self.route.auth == "public":
                return None
            raise
        redis.flush([leave_copy])
        return actor

    def _limits(self, call: Call, shown: auth.Credential | None) -> list[limits.Limit]:
        caller = _of_credential(shown) if shown else _anonymous(call)
        if not self.route.limit_per_min:
            return [caller]
        by_ip = self.route.limit_by == "ip"
        own = limits.Limit(
            name=self.route.stem,
            subject=call.ip if by_ip else caller.subject,
            per_min=self.route.limit_per_min,
            only_with=None if by_ip else caller.only_with,
        )
        return [caller, own]

    @staticmethod
    def _refuse_excess(counted: list[limits.Limit], left: list[int], now_ms: int) -> None:
        spent = limits.exceeded(counted, left)
        if spent:
            metrics.count("RateLimited")
            raise RateLimitedError(
                f"At most {spent.per_min} requests a minute.",
                retry_after_s=limits.retry_after_s(now_ms),
                details={"limit": spent.per_min},
            )

    def _validate(self, request: Request) -> RequestT:
        if self.route.idempotency == "key":
            require_key(request.headers.get("idempotency-key"))
        try:
            return self.request_model.model_validate(request.fields())
        except ValidationError as error:
            raise named(error) from None


def api[RequestT: RequestModel, ResponseT: ResponseModel](
    stem: str,
    service: Service[RequestT, ResponseT],
    request_model: type[RequestT],
    response_model: type[ResponseT],
) -> Api[RequestT, ResponseT]:
    """The Lambda handler of the route `stem`: checks by its row, then `service(call, request)`."""
    # While the environment starts, which is free, and not in its first request.
    request_model.model_rebuild()
    response_model.model_rebuild()
    return Api(ROUTES[stem], service, request_model, response_model)


def page[RequestT: RequestModel](
    stem: str, service: Callable[[Call, RequestT], Document], request_model: type[RequestT]
) -> Api[RequestT, ResponseModel]:
    """As `api`, for a service that answers a document and nothing else."""
    request_model.model_rebuild()
    return Api(ROUTES[stem], service, request_model, None)


def require_key(key: str | None) -> None:
    """Refuse a money route's call without a usable Idempotency-Key.

    Raises:
        ValidationFailedError: it is missing or not 1 to 128 visible ASCII characters.
    """
    if key is None or not _KEY.fullmatch(key):
        raise ValidationFailedError(
            "Give an Idempotency-Key header of 1 to 128 visible ASCII characters.",
            field="Idempotency-Key",
        )


def _cost(route: Route, request: Request) -> int:
    """What a call counts: the length of the route's list, as far as it can be read."""
    if not route.cost_field:
        return 1
    try:
        listed = request.fields().get(route.cost_field)
    except PresageError:
        return 1
    return max(1, min(len(listed), MAX_COST)) if isinstance(listed, list) else 1


def success(call: Call, status: int, data: bytes, pagination: bytes | None) -> Answer:
    """The envelope of an answer that is already JSON."""
    body: dict[str, Any] = {"success": True, "data": orjson.Fragment(data)}
    if pagination:
        body["pagination"] = orjson.Fragment(pagination)
    return _enveloped(call, status, body)


def failure(call: Call, error: PresageError) -> Answer:
    """The envelope of an error."""
    if error.retry_after_s is not None:
        call.headers["Retry-After"] = str(error.retry_after_s)
    elif isinstance(error, UnavailableError):
        call.headers["Retry-After"] = "5"
    body: dict[str, Any] = {"success": False, "error": error.message, "code": error.code}
    if error.details:
        body["details"] = error.details
    body["retryable"] = error.retryable
    return _enveloped(call, error.status, body)


def _enveloped(call: Call, status: int, body: dict[str, Any]) -> Answer:
    body["requestId"] = call.request_id
    body["timestamp"] = (
        datetime.now(UTC) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else call.now
    )
    return _answer(call, status, orjson.dumps(body).decode(), {})


def _answer(call: Call, status: int, body: str, headers: dict[str, str]) -> Answer:
    answer: Answer = {
        "statusCode": status,
        "headers": {**SECURITY_HEADERS, "X-Request-Id": call.request_id, **call.headers, **headers},
        "body": body,
    }
    answer["headers"].setdefault("Cache-Control", "no-store")
    if call.cookies:
        answer["cookies"] = call.cookies
    return answer


def _of_credential(shown: auth.Credential) -> limits.Limit:
    """By its hash, which is all that is known of it when the flush leaves."""
    is_service = shown.kind == "service"
    return limits.Limit(
        name="service" if is_service else "caller",
        subject=shown.token_hash.hex(),
        per_min=SERVICE_LIMIT_PER_MIN if is_service else USUAL_LIMIT_PER_MIN,
        only_with=shown.redis_key,
    )


def _anonymous(call: Call) -> limits.Limit:
    return limits.Limit(name="anonymous", subject=call.ip, per_min=ANONYMOUS_LIMIT_PER_MIN)


def _render(result: ResponseModel | Page[Any] | Paged[Any]) -> tuple[bytes, bytes | None]:
    if isinstance(result, Page | Paged):
        shown = (
            [row.model_dump(by_alias=True) for row in result.data]
            if isinstance(result, Page)
            else result.data.model_dump(by_alias=True)
        )
        return orjson.dumps(shown), orjson.dumps(result.pagination.model_dump(by_alias=True))
    return orjson.dumps(result.model_dump(by_alias=True)), None


def named(error: ValidationError) -> ValidationFailedError:
    """Pydantic's findings as ours: every field's path and what is wrong, never the value."""
    problems = [
        {
            "field": ".".join(str(part) for part in problem["loc"])[:MAX_FIELD_CHARS] or "body",
            "message": problem["msg"].removeprefix("Value error, "),
        }
        for problem in islice(
            error.errors(include_input=False, include_url=False, include_context=False),
            MAX_PROBLEMS,
        )
    ]
    first = problems[0]
    return ValidationFailedError(
        f"{first['field']}: {first['message']}",
        field=first["field"],
        details={"errors": problems},
    )
