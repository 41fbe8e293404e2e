"""A discussion as documents: each fits a block, each leads to the next, nothing is lost."""

import datetime as dt
import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.discussions import snapshots
from presage.discussions.snapshots import Said, blocks_of
from presage.errors import UnprocessableError
from presage.ipfs import cid as cids

MARKET = UUID(int=7)
DAY = dt.date(2026, 7, 24)
NOON = dt.datetime(2026, 7, 24, 18, 0, 0, 123_456, dt.timezone(dt.timedelta(hours=6)))
# What takes the most bytes as JSON: three or four of UTF-8, or an escape.
CHARS = st.sampled_from(["x", "ক", "🚀", "\\", '"', "\n", "\u200d"])


@given(st.lists(st.tuples(CHARS, st.integers(1, 5_000)), max_size=60))
def test_any_discussion_is_read_back_along_its_links(drawn: list[tuple[str, int]]) -> None:
    said = [
        Said(number, "0x" + "a" * 40, char * length, NOON)
        for number, (char, length) in enumerate(drawn)
    ]
    blocks = blocks_of(MARKET, DAY, said)
    known = {one.cid: one.data for one in blocks}
    cid: str | None = blocks[0].cid
    contents, pages = list[str](), 0
    while cid:
        data = known.pop(cid)
        assert len(data) <= cids.MAX_BLOCK_BYTES
        assert cids.decode(cid).names(data)
        document = json.loads(data)
        # Canonical: what Python's own encoder makes with sorted names and no blanks.
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert text.encode() == data
        pages += 1
        assert document.get("page", 1) == pages
        assert document.get("pages", 1) == len(blocks)
        assert document["discussions_count"] == len(said)
        contents += [one["content"] for one in document["discussions"]]
        cid = document.get("next")
    assert known == {}
    assert contents == [one.content for one in said]


def test_a_document_has_the_names_of_the_specification() -> None:
    (block,) = blocks_of(MARKET, DAY, [Said(5, "0xab", "Hm.", NOON)])
    assert json.loads(block.data) == {
        "market_id": str(MARKET),
        "snapshot_date": "2026-07-24",
        "discussions_count": 1,
        "discussions": [
            {
                "id": 5,
                "user_wallet": "0xab",
                "content": "Hm.",
                "created_at": "2026-07-24T12:00:00.123Z",
            }
        ],
    }


def test_a_discussion_beyond_all_measure_is_refused() -> None:
    long = Said(1, "0x", "x" * 5_000, NOON)
    a_page = cids.MAX_BLOCK_BYTES // 5_200
    assert len(blocks_of(MARKET, DAY, [long] * a_page * 50)) <= snapshots.MAX_PAGES
    with pytest.raises(UnprocessableError):
        blocks_of(MARKET, DAY, [long] * a_page * 2 * snapshots.MAX_PAGES)
