"""Cron slots as QStash counts them: UTC, unless the expression names a zone."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterError, croniter

from infra.local.qstash_messages import InvalidRequestError

_ZONE = "CRON_TZ="
FIELDS = 5


def next_slot_ms(expression: str, after_ms: int) -> int:
    """The first slot after a moment, in unix milliseconds.

    `CRON_TZ=America/New_York 0 9 * * *` counts in that zone, through its clock changes.
    Raises InvalidRequestError for what is not a five-field cron expression.
    """
    zone, fields = _split(expression)
    after = datetime.fromtimestamp(after_ms / 1_000, zone)
    try:
        slot: datetime = croniter(fields, after).get_next(datetime)
    except (CroniterError, ValueError, KeyError) as error:
        raise InvalidRequestError(f"invalid cron: {expression}") from error
    return int(slot.timestamp()) * 1_000


def _split(expression: str) -> tuple[tzinfo, str]:
    expression = expression.strip()
    zone: tzinfo = UTC
    if expression.startswith(_ZONE):
        name, _, expression = expression.removeprefix(_ZONE).partition(" ")
        try:
            zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise InvalidRequestError(f"unknown time zone: {name}") from error
    if len(expression.split()) != FIELDS:
        raise InvalidRequestError(f"invalid cron: {expression}")
    return zone, expression
