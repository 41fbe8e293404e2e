"""discussion-snapshot: what was said of a market by a day's end, pinned in IPFS; and read back.

A snapshot is canonical JSON (RFC 8785: sorted names, no blanks) of everything that stood at the end
of the day (UTC) and was not deleted since. One that is larger than a block is several documents of
the same shape, each with its `page`, the number of `pages` and the CID of the `next`.
"""

import datetime as dt
import time
import uuid
from dataclasses import dataclass, field
from itertools import pairwise

import orjson
import psycopg

from presage import clock
from presage.adapters import breaker, ipfs
from presage.call import Call
from presage.db import connection
from presage.db.queries import beside
from presage.discussions.models import ContentPath
from presage.errors import NotFoundError, PresageError, UnprocessableError, UpstreamError
from presage.ipfs import cid as cids
from presage.schema import Document
from presage.workflows.run import Outcome, Run

MARKETS_PER_RUN = 100
# With the node's timeouts (two of 2.5 s) a market takes under ten seconds, and the last one, which
# begins before the run's time is up, ends before the Lambda's is.
MARKET_S = 4.5
LAST_S = 2.0
# A run waits so often and so long for a node whose breaker is open: six hours.
NODE_WAITS, NODE_WAIT_S = 72, 300
MAX_PAGES = 100
# Of a block, for what a page has beside its comments.
PAGE_HEAD_BYTES = 1_024
# Of a page, for what a comment has beside its words; never less.
ENTRY_BYTES = 100
ANCHORS_PER_CHUNK = 100
KEEP = dt.timedelta(days=90)
_ANCHOR = "anchor"  # before the colon in what its dead letter is called
_queries = beside(__file__)


@dataclass(frozen=True)
class _Due:
    """A snapshot to make."""

    id: uuid.UUID
    day: dt.date

    @property
    def item(self) -> str:
        """What its dead letter is called: of its day, so that another day's waits for nothing."""
        return f"{self.id}:{self.day.isoformat()}"

    @property
    def until(self) -> dt.datetime:
        """When its day ends."""
        midnight = dt.datetime.combine(self.day, dt.time(), dt.UTC)
        return midnight + dt.timedelta(days=1)


@dataclass(frozen=True)
class Said:
    """A comment as a snapshot has it."""

    id: int
    user_wallet: str
    content: str
    created_at: dt.datetime


@dataclass(frozen=True)
class _Measure:
    count: int
    bytes: int


@dataclass(frozen=True)
class _Old:
    id: int
    cid: str
    is_shared: bool


@dataclass(frozen=True)
class _Anchored:
    cid: str


@dataclass
class _Progress:
    """How far a slice has come.

    `refused` is what the node has not taken since it last took something, and `before` the cursor
    before the first of it.
    """

    after: str
    before: str
    counts: dict[str, int] = field(default_factory=lambda: {"pinned": 0, "documents": 0})
    seen: set[_Due] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Block:
    """A document and the CID that names it."""

    cid: str
    data: bytes


def discussion_snapshot(run: Run) -> Outcome:
    """As `_snapshot`, over one connection to the node."""
    if not ipfs.is_configured():
        run.is_cut_short = True  # what failed before was not tried
        return Outcome(counts={"pinned": 0, "documents": 0})
    with ipfs.connected():
        return _snapshot(run)


def _snapshot(run: Run) -> Outcome:
    """Pin the snapshot of every market that was spoken of on the day before the slot.

    And those of earlier days whose retry is due: an admin may ask for one on any later day.
    """
    after = str(run.cursor.get("after", uuid.UUID(int=0)))
    done = _Progress(after, before=after)
    again, markets = _list_due(run, after)
    try:
        is_cut = _anchor_each(run, done, again, markets)
    except breaker.OpenError as error:
        return _wait_for_node(run, done, error, again, markets)
    is_more = is_cut or MARKETS_PER_RUN in {len(again), len(markets)}
    return Outcome(counts=done.counts, next_cursor={"after": done.after} if is_more else None)


def _anchor_each(run: Run, done: _Progress, again: list[_Due], markets: list[_Due]) -> bool:
    """Make these snapshots; whether time was up.

    Raises:
        OpenError: the node is left alone for a while.
    """
    for place, due in enumerate([*again, *markets]):
        if run.out_of_time:
            return True
        if due not in done.seen and not run.skips(due.item) and not _tried(run, done, due):
            return True
        done.seen.add(due)
        if place >= len(again):
            done.after = str(due.id)
        if not done.refused:
            done.before = done.after
    return False


def _tried(run: Run, done: _Progress, due: _Due) -> bool:
    """Make a snapshot; False where time was up, since the next slice gives it its whole time.

    Raises:
        OpenError: the node is left alone for a while.
    """
    try:
        documents = _anchor(run, due)
    except breaker.OpenError:
        raise
    except (PresageError, psycopg.Error) as error:
        if run.out_of_time:
            return False
        run.fail(due.item, error)
        if isinstance(error, UpstreamError):
            done.refused.append(due.item)
    else:
        done.counts["documents"] += documents
        done.counts["pinned"] += 1
        done.refused.clear()
    return True


def _wait_for_node(
    run: Run, done: _Progress, error: UpstreamError, again: list[_Due], markets: list[_Due]
) -> Outcome:
    """Come back later, also for what was refused just before: an outage is no market's failure.

    One of hours is that of the dead letters that were due or, of one new one: their retries go
    through the whole day again.
    """
    waits = int(run.cursor.get("waits", 0))
    if waits < NODE_WAITS:
        for item in done.refused:
            del run.failures[item]
        cursor = {"after": done.before, "waits": waits + 1}
        return Outcome(counts=done.counts, next_cursor=cursor, next_delay_s=NODE_WAIT_S)
    left = [due for due in again if due not in done.seen]
    for due in left or [due for due in markets if due not in done.seen][:1]:
        run.fail(due.item, error)
    run.is_cut_short = len(again) == MARKETS_PER_RUN  # there may be more that are due
    return Outcome(counts=done.counts)


def _list_due(run: Run, after: str) -> tuple[list[_Due], list[_Due]]:
    """Snapshots of dead letters that are due, and of the day's markets behind the cursor.

    The former are listed in every slice: what is due when the last one ends counts as done.
    """
    until = run.slot.replace(hour=0, minute=0, second=0, microsecond=0)
    limited = {"limit": MARKETS_PER_RUN}
    letters = limited | {"workflow": run.name, "now": run.call.now}
    days = limited | {"day": until - dt.timedelta(days=1), "until": until, "after": after}
    again, markets = connection.run(
        run.call,
        [
            (_queries["list_due_snapshots"], _Due, letters),
            (_queries["list_snapshot_markets"], _Due, days),
        ],
    )
    return again, markets


def prune_anchors(run: Run) -> int:
    """Unpin and drop the anchors that are older than 90 days; how many went.

    A document that a younger anchor has as well stays pinned. What a node that is down does not
    unpin is left for the next day.
    """
    if not ipfs.is_configured():
        run.untried.add(_ANCHOR)
        return 0
    dropped, failed = 0, list[int]()
    with ipfs.connected():
        while not run.out_of_time and _ANCHOR not in run.untried:
            params = {"before": run.call.now - KEEP, "failed": failed, "limit": ANCHORS_PER_CHUNK}
            old = connection.fetch_all(run.call, _queries["list_old_anchors"], _Old, params)
            if not old:
                break
            gone = _unpin(run, old, failed)
            connection.execute(run.call, _queries["drop_anchors"], {"ids": gone})
            dropped += len(gone)
    return dropped


def _unpin(run: Run, old: list[_Old], failed: list[int]) -> list[int]:
    """Unpin these; which ones can be dropped."""
    gone: list[int] = []
    refused: list[str] = []
    for anchor in old:
        if run.out_of_time:
            break
        if anchor.is_shared:
            gone.append(anchor.id)
            continue
        try:
            ipfs.unpin(anchor.cid)
        except breaker.OpenError:
            run.untried.add(_ANCHOR)
            for item in refused:  # by an outage, which is no document's failure
                run.failures.pop(item, None)
            break
        except UpstreamError as error:
            refused.append(f"{_ANCHOR}:{anchor.cid}")
            run.fail(refused[-1], error)
            failed.append(anchor.id)
        else:
            refused.clear()
            gone.append(anchor.id)
    return gone


def get_ipfs(call: Call, request: ContentPath) -> Document:
    """A document that we have published, as a gateway gives it back and its CID proves it.

    Raises:
        NotFoundError: we have not published it, or it was pruned.
        UnavailableError: no gateway is configured.
        UpstreamError: no gateway gives it.
    """
    params = {"cid": request.cid}
    if connection.fetch_one(call, _queries["find_anchor"], _Anchored, params) is None:
        raise NotFoundError("We have published nothing of this CID.", field="cid")
    body = ipfs.fetch(request.cid).decode()
    # A CID names one content for ever.
    kept = {"Cache-Control": "public, max-age=31536000, immutable", "ETag": f'"{request.cid}"'}
    return Document(body, kept)


def blocks_of(market_id: uuid.UUID, day: dt.date, said: list[Said]) -> list[Block]:
    """The documents of a snapshot, in reading order.

    Raises:
        UnprocessableError: they are more than `MAX_PAGES`.
    """
    pages = _paged([_entry(one) for one in said])
    if len(pages) > MAX_PAGES:
        raise UnprocessableError(f"The discussion fills {len(pages)} blocks.")
    blocks: list[Block] = []
    for number in range(len(pages), 0, -1):  # the next one's CID must be known
        document: dict[str, object] = {
            "market_id": str(market_id),
            "snapshot_date": day.isoformat(),
            "discussions_count": len(said),
            "discussions": [orjson.Fragment(entry) for entry in pages[number - 1]],
        }
        if len(pages) > 1:
            document |= {"page": number, "pages": len(pages)}
        if blocks:
            document["next"] = blocks[0].cid
        data = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
        blocks.insert(0, Block(str(cids.of_raw(data)), data))
    return blocks


def _anchor(run: Run, due: _Due) -> int:
    """Write a snapshot down, pin it, say that it is pinned; how many documents it has."""
    params: dict[str, object] = {"market_id": due.id, "until": due.until}
    _check_size(run.call, params)
    said = connection.fetch_all(run.call, _queries["list_said"], Said, params)
    blocks = blocks_of(due.id, due.day, said)
    rows = [
        {"cid": one.cid, "part": part, "size_bytes": len(one.data)}
        for part, one in enumerate(blocks)
    ]
    anchored: dict[str, object] = {
        "market_id": due.id,
        "day": due.day,
        "count": len(said),
        "anchors": orjson.dumps(rows).decode(),
        "cids": [one.cid for one in blocks],
        "now": clock.now(),
    }
    _, kept = connection.run(
        run.call,
        [
            (_queries["keep_anchors"], None, anchored),
            (_queries["list_pinned"], _Anchored, anchored),
        ],
    )
    pinned = {one.cid for one in kept}
    # The first document comes last: that it is pinned says that all are.
    _pin(run, anchored, [one for one in reversed(blocks) if one.cid not in pinned])
    connection.run(run.call, [(_queries["note_pinned"], None, anchored)])
    return len(blocks)


def _pin(run: Run, anchored: dict[str, object], blocks: list[Block]) -> None:
    """Have the node pin these; where it fails, the next try goes on from there."""
    until = time.monotonic() + min(MARKET_S, run.left_s + LAST_S)
    added: list[str] = []
    try:
        ipfs.add_all([one.data for one in blocks], added, until=until)
    finally:
        if 0 < len(added) < len(blocks):
            some = anchored | {"cids": added, "now": clock.now()}
            connection.run(run.call, [(_queries["note_pinned"], None, some)])
    if len(added) < len(blocks):
        raise UpstreamError("The IPFS node takes too long.")


def _check_size(call: Call, params: dict[str, object]) -> None:
    """Refuse what is too large before it is loaded: to run out of memory is the end of all markets.

    Raises:
        UnprocessableError: it fills more than `MAX_PAGES` for sure.
    """
    found = connection.fetch_one(call, _queries["measure_said"], _Measure, params)
    least = found.bytes + found.count * ENTRY_BYTES if found else 0
    if least > MAX_PAGES * cids.MAX_BLOCK_BYTES:
        raise UnprocessableError(f"The discussion is too large: {least} bytes at least.")


def _entry(said: Said) -> bytes:
    moment = said.created_at.astimezone(dt.UTC).isoformat(timespec="milliseconds")
    entry = {
        "id": said.id,
        "user_wallet": said.user_wallet,
        "content": said.content,
        "created_at": moment.replace("+00:00", "Z"),
    }
    return orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)


def _paged(entries: list[bytes]) -> list[list[bytes]]:
    """The entries, in order, in as few pages as fit a block each."""
    room = cids.MAX_BLOCK_BYTES - PAGE_HEAD_BYTES
    starts, used = [0], 0
    for place, entry in enumerate(entries):
        used += len(entry) + 1
        if used > room:
            starts.append(place)
            used = len(entry) + 1
    return [entries[start:end] for start, end in pairwise([*starts, len(entries)])]
