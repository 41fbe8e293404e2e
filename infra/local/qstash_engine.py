"""QStash's behaviour without its HTTP API: what is due, delivered, retried and dead-lettered.

With real time a background task delivers what is due. With the simulated clock nothing happens
between two calls of `advance`, which delivers everything due by then, in the order of time.
"""

import asyncio
import base64
import contextlib
import heapq
import itertools
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from infra.local.clock import now_ms
from infra.local.qstash_cron import next_slot_ms
from infra.local.qstash_delays import DelayError, backoff_ms, expression_ms, retry_after_ms
from infra.local.qstash_delivery import Answer, Courier
from infra.local.qstash_messages import (
    Headers,
    InvalidRequestError,
    Message,
    Schedule,
    Settings,
    callback_settings,
    is_url,
)
from infra.local.qstash_records import (
    Counts,
    DeadLetter,
    Queue,
    callback_body,
    deduplication_key,
    new_id,
)

MAX_CONCURRENT = 8
DEDUPLICATION_MS = 600_000
MAX_EVENTS = 10_000
MAX_MISSED_SLOTS = 2_000  # a schedule a minute missed for a day and more
MAX_ADVANCE_DELIVERIES = 20_000  # a workflow that re-publishes itself for ever must not hang us
_IDLE_S = 1.0


class Engine:
    """All state of the emulator; one event loop uses it."""

    def __init__(self, courier: Courier) -> None:
        self.courier = courier
        self.messages: dict[str, Message] = {}
        self.schedules: dict[str, Schedule] = {}
        self.queues: dict[str, Queue] = {}
        self.groups: dict[str, dict[str, str | None]] = {}  # group -> url -> endpoint name
        self.group_times: dict[str, tuple[int, int]] = {}
        self.dead: dict[str, DeadLetter] = {}
        self.events: deque[dict[str, Any]] = deque(maxlen=MAX_EVENTS)
        self.counts = Counts()
        self.flow_limits: dict[str, dict[str, int]] = {}
        self._heap: list[tuple[int, int, str]] = []
        self._held: list[tuple[int, int, str]] = []  # due, but their queue or flow is full
        self._sequence = itertools.count()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._wave_ms = 0
        self._seen: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._outcomes: OrderedDict[str, str] = OrderedDict()
        self._wake = asyncio.Event()
        self._advancing = asyncio.Lock()

    # Accepting messages

    def publish(
        self,
        destination: str,
        headers: Headers,
        body: bytes,
        *,
        queue: str | None = None,
        caller_ip: str = "127.0.0.1",
    ) -> dict[str, Any] | list[dict[str, Any]]:
        """Accept a message for a URL, or one for each URL of a group.

        Raises InvalidRequestError for settings or a destination QStash would refuse.
        """
        settings = self.validate(destination, headers)
        if is_url(destination):
            deduplication = deduplication_key(headers, destination, body)
            return self._accept(
                destination, settings, body, queue, None, caller_ip, deduplication=deduplication
            )
        return [
            {"url": url}
            | self._accept(
                url,
                settings,
                body,
                queue,
                destination,
                caller_ip,
                deduplication=deduplication_key(headers, url, body, in_group=True),
            )
            for url in self.groups[destination]
        ]

    def validate(self, destination: str, headers: Headers) -> Settings:
        """The settings of a publish; raises InvalidRequestError for what QStash would refuse."""
        if not is_url(destination) and destination not in self.groups:
            raise InvalidRequestError(f"invalid destination url: {destination}")
        return Settings.read(headers)

    def _accept(
        self,
        url: str,
        settings: Settings,
        body: bytes,
        queue: str | None,
        group: str | None,
        caller_ip: str,
        *,
        deduplication: str | None = None,
    ) -> dict[str, Any]:
        now = now_ms()
        if deduplication is not None:
            self._forget_seen(now)
            if deduplication in self._seen:
                return {"messageId": self._seen[deduplication][0], "deduplicated": True}
        due = now + settings.delay_ms
        if settings.not_before_ms is not None:
            due = settings.not_before_ms
        message = Message(
            id=new_id("msg"),
            url=url,
            body=body,
            settings=settings,
            created_ms=now,
            due_ms=max(now, due),
            queue=queue,
            group=group,
            caller_ip=caller_ip,
        )
        if deduplication is not None:
            self._seen[deduplication] = (message.id, now + DEDUPLICATION_MS)
        self._add(message)
        return {"messageId": message.id}

    def _add(self, message: Message) -> None:
        if message.queue is not None:
            self.queue(message.queue).order.append(message.id)
        settings = message.settings
        if settings.flow_key is not None:
            self.flow_limits[settings.flow_key] = settings.flow
        self.messages[message.id] = message
        self._push(message)
        self._record("CREATED", message)

    def _push(self, message: Message) -> None:
        heapq.heappush(self._heap, (message.due_ms, next(self._sequence), message.id))
        self._wake.set()

    def _forget_seen(self, now: int) -> None:
        while self._seen and next(iter(self._seen.values()))[1] <= now:
            self._seen.popitem(last=False)

    def queue(self, name: str) -> Queue:
        """The queue of that name, created when missing."""
        if name not in self.queues:
            now = now_ms()
            self.queues[name] = Queue(name, now, now)
        return self.queues[name]

    def cancel(self, message_id: str) -> bool:
        """Drop a pending message; false when there is none."""
        message = self.messages.get(message_id)
        if message is None:
            return False
        self._record("CANCELED", message)
        self._drop(message)
        self.release_held()
        return True

    def _drop(self, message: Message) -> None:
        self.messages.pop(message.id, None)
        if message.queue in self.queues and message.id in self.queues[message.queue].order:
            self.queues[message.queue].order.remove(message.id)

    # Schedules

    def put_schedule(self, destination: str, headers: Headers, body: bytes) -> str:
        """Create a schedule, or overwrite the one with this id; returns its id."""
        cron = headers.get("upstash-cron", "")
        settings = self.validate(destination, headers)
        now = now_ms()
        schedule = Schedule(
            id=headers.get("upstash-schedule-id") or new_id("scd"),
            destination=destination,
            cron=cron,
            body=body,
            settings=settings,
            created_ms=now,
            next_ms=next_slot_ms(cron, now),
            queue=headers.get("upstash-queue-name"),
        )
        self.schedules[schedule.id] = schedule
        self._wake.set()
        return schedule.id

    def pause_schedule(self, schedule: Schedule, *, paused: bool) -> None:
        """Pause or resume; slots missed while paused stay missed."""
        schedule.paused = paused
        schedule.next_ms = next_slot_ms(schedule.cron, now_ms())
        self._wake.set()

    def _fire_schedules(self, now: int) -> None:
        for schedule in self.schedules.values():
            for _ in range(MAX_MISSED_SLOTS):
                if schedule.paused or schedule.next_ms > now:
                    break
                self._fire(schedule, schedule.next_ms)
                schedule.next_ms = next_slot_ms(schedule.cron, schedule.next_ms)
            else:
                schedule.next_ms = next_slot_ms(schedule.cron, now)

    def _fire(self, schedule: Schedule, slot_ms: int) -> None:
        targets = [(schedule.destination, None)]
        if not is_url(schedule.destination):
            group = schedule.destination
            targets = [(url, group) for url in self.groups.get(group, {})]  # type: ignore[misc]
        schedule.last_ms = slot_ms
        schedule.last_message_ids = []
        for url, group_name in targets:
            message = Message(
                id=new_id("msg"),
                url=url,
                body=schedule.body,
                settings=schedule.settings,
                created_ms=slot_ms,
                due_ms=slot_ms + schedule.settings.delay_ms,
                schedule_id=schedule.id,
                queue=schedule.queue,
                group=group_name,
            )
            schedule.last_message_ids.append(message.id)
            self._add(message)

    # Delivering

    async def run(self) -> None:
        """Deliver what is due, for ever (real time)."""
        while True:
            self._wake.clear()
            now = now_ms()
            self._fire_schedules(now)
            self._start_due(now)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._idle(now))

    def _idle(self, now: int) -> float:
        upcoming = [one.next_ms for one in self.schedules.values() if not one.paused]
        if self._heap and len(self._running) < MAX_CONCURRENT:
            upcoming.append(self._heap[0][0])
        return min([_IDLE_S, *(max(0.0, (due - now) / 1_000) for due in upcoming)])

    async def advance(self) -> dict[str, int]:
        """Deliver everything due by now, and what that publishes, in the order of time."""
        async with self._advancing:
            before = replace(self.counts)
            for _ in range(MAX_ADVANCE_DELIVERIES):
                now = now_ms()
                self._fire_schedules(now)
                self._start_due(now, in_waves=True)
                if not self._running:
                    break
                await asyncio.wait(self._running.values(), return_when=asyncio.FIRST_COMPLETED)
            return self.counts.since(before, len(self.messages))

    def _start_due(self, now: int, *, in_waves: bool = False) -> None:
        """Start what is due and allowed; in waves, nothing before all of an earlier time ended."""
        while self._heap and len(self._running) < MAX_CONCURRENT:
            due, _, message_id = self._heap[0]
            message = self.messages.get(message_id)
            if message is None:
                heapq.heappop(self._heap)
                continue
            if due > now or (in_waves and self._running and due > self._wave_ms):
                return
            entry = heapq.heappop(self._heap)
            if not self._admitted(message):
                self._held.append(entry)
                continue
            self._wave_ms = due
            task = asyncio.create_task(self._attempt(message))
            self._running[message.id] = task

    def _admitted(self, message: Message) -> bool:
        if message.queue is not None and not self.queue(message.queue).admits(message.id):
            return False
        key = message.settings.flow_key
        limit = self.flow_limits.get(key, {}).get("parallelism") if key else None
        return limit is None or self.flow_load(key) < limit

    def flow_load(self, key: str | None) -> int:
        """How many messages of a flow-control key are being delivered."""
        return sum(
            1
            for one in self._running
            if one in self.messages and self.messages[one].settings.flow_key == key
        )

    def release_held(self) -> None:
        """Look again at messages whose queue or flow was full or paused."""
        for entry in self._held:
            heapq.heappush(self._heap, entry)
        self._held.clear()
        self._wake.set()

    async def _attempt(self, message: Message) -> None:
        self._record("ACTIVE", message)
        try:
            answer = await self.courier.deliver(message)
        finally:
            self._running.pop(message.id, None)
        if message.id in self.messages:  # not cancelled meanwhile
            self._conclude(message, answer)
        self.release_held()

    def _conclude(self, message: Message, answer: Answer) -> None:
        if answer.ok:
            self.counts.delivered += 1
            self._outcome(message, "SUCCESS")
            self._record("DELIVERED", message, responseStatus=answer.status)
            self._drop(message)
            self._call_back(message, answer)
            return
        self.counts.failed += 1
        seen = {"responseStatus": answer.status, "error": answer.error or f"HTTP {answer.status}"}
        self._record("ERROR", message, **seen)
        self._call_back(message, answer)
        if answer.permanent or message.retried >= message.settings.retries:
            self._bury(message, answer)
            return
        self.counts.retried += 1
        message.due_ms = now_ms() + self._retry_delay_ms(message, answer)
        message.retried += 1
        self._record("RETRY", message, nextDeliveryTime=message.due_ms)
        self._push(message)

    def _retry_delay_ms(self, message: Message, answer: Answer) -> int:
        if "retry-after" in answer.headers:
            asked = retry_after_ms(answer.headers["retry-after"][0], now_ms())
            if asked is not None:
                return asked
        if message.settings.retry_delay is not None:
            # Valid when it was published, an expression can still fail for a later `retried`.
            with contextlib.suppress(DelayError):
                return expression_ms(message.settings.retry_delay, message.retried)
        return backoff_ms(message.retried + 1)

    def _bury(self, message: Message, answer: Answer) -> None:
        letter = DeadLetter(f"{now_ms()}-{next(self._sequence)}", message, answer)
        self.dead[letter.id] = letter
        self.counts.dead_lettered += 1
        self._outcome(message, "FAIL")
        self._record("FAILED", message, responseStatus=answer.status)
        self._drop(message)
        settings = message.settings
        if settings.failure_callback is not None:
            body = callback_body(message, answer) | {"dlqId": letter.id}
            self._accept(
                settings.failure_callback,
                callback_settings(settings.failure_callback_headers),
                orjson.dumps(body),
                None,
                None,
                message.caller_ip,
            )

    def _call_back(self, message: Message, answer: Answer) -> None:
        settings = message.settings
        if settings.callback is not None:
            self._accept(
                settings.callback,
                callback_settings(settings.callback_headers),
                orjson.dumps(callback_body(message, answer)),
                None,
                None,
                message.caller_ip,
            )

    def revive(self, letter: DeadLetter) -> str:
        """Publish a dead letter anew; returns the new message's id."""
        del self.dead[letter.id]
        now = now_ms()
        message = replace(letter.message, id=new_id("msg"), created_ms=now, due_ms=now, retried=0)
        self._add(message)
        return message.id

    # Bookkeeping

    def outcomes(self) -> Mapping[str, str]:
        """How recent messages ended, by id: SUCCESS or FAIL."""
        return self._outcomes

    def _outcome(self, message: Message, outcome: str) -> None:
        self._outcomes[message.id] = outcome
        if len(self._outcomes) > MAX_EVENTS:
            self._outcomes.popitem(last=False)

    def _record(self, state: str, message: Message, **fields: Any) -> None:  # noqa: ANN401
        view = message.view()
        view["body"] = base64.b64encode(message.body).decode()
        self.events.append(view | {"time": now_ms(), "state": state} | fields)

    def saved(self) -> bytes:
        """Schedules, pending messages and queue settings, for `restore`."""
        return orjson.dumps(
            {
                "messages": [one.saved() for one in self.messages.values()],
                "schedules": [one.saved() for one in self.schedules.values()],
                "queues": [[one.name, one.parallelism, one.paused] for one in self.queues.values()],
                "groups": self.groups,
            }
        )

    def restore(self, saved: bytes) -> None:
        """Take over what `saved` wrote; slots missed while the emulator was down stay missed."""
        state = orjson.loads(saved)
        self.groups.update(state["groups"])
        for name, parallelism, paused in state["queues"]:
            queue = self.queue(name)
            queue.parallelism, queue.paused = parallelism, paused
        for one in state["schedules"]:
            schedule = Schedule.restored(one)
            schedule.next_ms = next_slot_ms(schedule.cron, now_ms())
            self.schedules[schedule.id] = schedule
        for one in state["messages"]:
            self._add(Message.restored(one))
