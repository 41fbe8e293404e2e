"""`workflow()`: everything between a QStash delivery and a service.

Verifies the signature (or an operator's CRON_SECRET) before anything is read or written, claims
the slot, runs the service, records the outcome and publishes the continuation. Status codes are
QStash's: 200 done (or done before), 503 + Retry-After somebody is at it, 489 do not try again,
500 try again.
"""

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import orjson
from pydantic import Field, ValidationError

from presage import clock, config, metrics
from presage.adapters import qstash
from presage.call import Call
from presage.edge import auth, cache, http, origin, reporting
from presage.edge.request import Request, json_object
from presage.errors import (
    PresageError,
    UnauthorizedError,
    UnavailableError,
    ValidationFailedError,
)
from presage.routes import ROUTES, Route
from presage.schema import Moment, RequestModel, ResponseModel
from presage.workflows import runs
from presage.workflows.run import Outcome, PermanentFailureError, Run

NON_RETRYABLE = 489
RETRY_AFTER_S = 10
MAX_PARTS = 10_000
MAX_DIGITS = 6


class WorkflowBody(RequestModel):
    """What a delivery may carry; a schedule's carries nothing.

    `again` is a run for dead letters between two slots: its slot is its own and not cut to the
    workflow's. `dead_letter` names the one that the message itself is.
    """

    slot: Moment | None = None
    again: bool = False
    dead_letter: Annotated[str | None, Field(max_length=200)] = None
    group_run_id: uuid.UUID | None = None
    part: Annotated[int, Field(ge=0, le=MAX_PARTS)] = 0
    cursor: Annotated[dict[str, Any], Field(default_factory=dict)]


class WorkflowDone(ResponseModel):
    """How a delivery ended: `status` completed, partial, or completed before (`duplicate`)."""

    workflow: str
    slot: datetime
    status: str
    duplicate: bool = False
    counts: dict[str, int]


class DeliveryHandler(ABC):
    """A Lambda handler that QStash calls: its signature, and status codes that it understands."""

    route: Route

    def __call__(self, event: dict[str, Any], context: object) -> http.Answer:  # noqa: ARG002 - Lambda's
        """Serve one delivery (an API Gateway HTTP API event, payload 2.0)."""
        began = time.perf_counter()
        request = Request.from_event(event)
        call = Call(
            zone=self.route.zone, now=clock.now(), request_id=request.request_id, ip=request.ip
        )
        try:
            call.ip = origin.caller_ip(request, self.route)
            answer = self._serve(call, request)
        except PermanentFailureError as error:
            call.headers["Upstash-NonRetryable-Error"] = "true"
            answer = http.failure(call, PresageError(str(error))) | {"statusCode": NON_RETRYABLE}
        except PresageError as error:
            answer = http.failure(call, error)
        except Exception as error:  # noqa: BLE001 - the edge is where the unexpected ends
            reporting.unhandled(call, self.route.stem, error)
            answer = http.failure(call, PresageError(retry_after_s=RETRY_AFTER_S))
        reporting.served(call, self.route.stem, answer["statusCode"], began)
        return answer

    @abstractmethod
    def _serve(self, call: Call, request: Request) -> http.Answer: ...

    def _is_from_qstash(self, request: Request, body: bytes) -> bool:
        """Whether QStash signed this; False when nobody did.

        Raises:
            UnauthorizedError: somebody else signed it.
        """
        signature = request.headers.get("upstash-signature")
        if not signature:
            return False
        # The public URL and not rawPath: a mapped domain keeps its prefix there.
        qstash.verify(signature, body, config.get("PUBLIC_BASE_URL") + self.route.path)
        return True


@dataclass(frozen=True)
class Callback[RequestT: RequestModel, ResponseT: ResponseModel](DeliveryHandler):
    """A Lambda handler for what QStash itself has to tell: no slot, and its service converges."""

    route: Route
    service: Callable[[Call, RequestT], ResponseT]
    request_model: type[RequestT]
    response_model: type[ResponseT]

    def _serve(self, call: Call, request: Request) -> http.Answer:
        raw = request.body_bytes()
        if not self._is_from_qstash(request, raw):
            raise UnauthorizedError("Only QStash calls this.")
        try:
            told = self.request_model.model_validate(json_object(raw))
        except ValidationError as error:
            raise http.named(error) from None
        done = self.service(call, told)
        return http.success(call, 200, orjson.dumps(done.model_dump(by_alias=True)), None)


@dataclass(frozen=True)
class Workflow(DeliveryHandler):
    """A Lambda handler for one workflow."""

    route: Route
    service: Callable[[Run], Outcome]
    request_model: type[WorkflowBody] = WorkflowBody
    response_model: type[WorkflowDone] = WorkflowDone

    def _serve(self, call: Call, request: Request) -> http.Answer:
        raw = request.body_bytes()
        by_operator = self._authenticate(request, raw)
        body = self._read(raw)
        if by_operator and body.slot is None:
            raise ValidationFailedError("An operator names the slot.", field="slot")
        slot = body.slot if body.again else None
        slot = slot or clock.floor_to(body.slot or call.now, self.route.slot_s)
        if by_operator:
            runs.audit_operator(call, self.route.stem, slot)
        claim = runs.begin(
            call,
            runs.Delivery(
                name=self.route.stem,
                slot=slot,
                part=body.part,
                message_id=request.headers.get("upstash-message-id", f"call:{call.request_id}"),
                group_run_id=body.group_run_id,
                attempt=_retried(request.headers.get("upstash-retried", "")) + 1,
            ),
        )
        match claim.decision:
            case "completed":
                done = self._done(claim.slot, "completed", {}, duplicate=True)
            case "live":
                raise UnavailableError("Another delivery works on this slot.", retry_after_s=30)
            case "run":
                done = self._work(call, claim, body)
        return http.success(call, 200, orjson.dumps(done.model_dump(by_alias=True)), None)

    def _authenticate(self, request: Request, body: bytes) -> bool:
        """Whether an operator calls; QStash otherwise.

        Raises:
            UnauthorizedError: neither.
        """
        if self._is_from_qstash(request, body):
            return False
        if auth.is_operator(request.headers.get("authorization", "")):
            return True
        raise UnauthorizedError("Workflows are called by QStash.")

    @staticmethod
    def _read(raw: bytes) -> WorkflowBody:
        try:
            return WorkflowBody.model_validate(json_object(raw))
        except ValidationError as error:
            raise http.named(error) from None

    def _work(self, call: Call, claim: runs.Claim, body: WorkflowBody) -> WorkflowDone:
        run = Run(
            id=claim.run_id,
            name=self.route.stem,
            slot=claim.slot,
            call=call,
            cursor=body.cursor,
            waiting=claim.waiting,
        )
        began = time.perf_counter()
        try:
            outcome = self.service(run)
            if outcome.next_cursor is not None:
                self._continue(run, outcome, body)
        except Exception as error:
            runs.fail(run, error)
            metrics.count("WorkflowFailures", workflow=self.route.stem)
            raise
        finally:
            # What was done before a failure is done.
            cache.drop(call)
        status = runs.finish(run, outcome)
        if run.failures:
            metrics.count("WorkflowItemFailures", len(run.failures), workflow=self.route.stem)
        metrics.duration_ms(
            "WorkflowDuration", (time.perf_counter() - began) * 1000, workflow=self.route.stem
        )
        return self._done(claim.slot, status, dict(outcome.counts))

    def _continue(self, run: Run, outcome: Outcome, body: WorkflowBody) -> None:
        """Publish the next slice; deduplicated, since this slice may be delivered again."""
        part = body.part + 1
        message = {"slot": run.slot.isoformat(), "part": part, "cursor": outcome.next_cursor}
        if body.again:
            message["again"] = True
        if body.group_run_id:
            message["groupRunId"] = str(body.group_run_id)
        qstash.publish(
            [
                qstash.Message(
                    path=self.route.path,
                    body=message,
                    deduplication_id=f"{run.id}:{part}",
                    delay_s=outcome.next_delay_s,
                    retries=self.route.retries,
                )
            ]
        )

    def _done(
        self, slot: datetime, status: str, counts: dict[str, int], *, duplicate: bool = False
    ) -> WorkflowDone:
        return WorkflowDone(
            workflow=self.route.stem, slot=slot, status=status, counts=counts, duplicate=duplicate
        )


def _retried(header: str) -> int:
    """How often QStash had tried before; an operator's call says nothing."""
    return int(header) if header.isascii() and header.isdigit() and len(header) < MAX_DIGITS else 0


def workflow(stem: str, service: Callable[[Run], Outcome]) -> Workflow:
    """The Lambda handler of the workflow `stem`."""
    return Workflow(ROUTES[stem], service)


def callback[RequestT: RequestModel, ResponseT: ResponseModel](
    stem: str,
    service: Callable[[Call, RequestT], ResponseT],
    request_model: type[RequestT],
    response_model: type[ResponseT],
) -> Callback[RequestT, ResponseT]:
    """The Lambda handler of the callback `stem`."""
    return Callback(ROUTES[stem], service, request_model, response_model)
