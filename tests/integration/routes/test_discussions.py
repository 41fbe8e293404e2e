"""Discussions: threads three replies deep, read by everybody, taken back by their authors."""

from typing import Any

import pytest

from tests.harness import Answer, Platform, Wallet


@pytest.fixture
def alice(platform: Platform) -> Wallet:
    return platform.sign_in()


@pytest.fixture
def bob(platform: Platform) -> Wallet:
    return platform.sign_in()


def _say(platform: Platform, wallet: Wallet, market: str, content: str, **fields: Any) -> int:
    said = platform.comment(wallet, market, content, **fields)
    assert said.status == 201, said.body
    number: int = said.data["id"]
    return number


def _read(platform: Platform, market: str, **query: Any) -> Answer:
    return platform.call("list_discussions", id=market, query=query)


def _shape(platform: Platform, market: str) -> list[tuple[str | None, list[str | None]]]:
    threads = _read(platform, market).data
    return [(one["content"], [reply["content"] for reply in one["replies"]]) for one in threads]


def test_threads_are_read_newest_first_with_their_replies(
    platform: Platform, market: str, alice: Wallet, bob: Wallet
) -> None:
    first = _say(platform, alice, market, "one")
    _say(platform, bob, market, "two")
    answer = _say(platform, bob, market, "one.one", parentId=first)
    _say(platform, alice, market, "one.two", parentId=answer)
    assert _shape(platform, market) == [("two", []), ("one", ["one.one", "one.two"])]
    thread = _read(platform, market).data[1]
    deepest = thread["replies"][1]
    assert deepest == {
        "id": deepest["id"],
        "threadId": first,
        "parentId": answer,
        "depth": 2,
        "content": "one.two",
        "userAddress": alice.address,
        "displayName": None,
        "likeCount": 0,
        "replyCount": 0,
        "createdAt": "2026-07-24T12:00:00+00:00",
        "deletedAt": None,
    }
    assert (thread["threadId"], thread["depth"], thread["replyCount"]) == (None, 0, 2)


def test_replies_go_three_deep(platform: Platform, market: str, alice: Wallet) -> None:
    parent = _say(platform, alice, market, "0")
    for depth in range(1, 4):
        parent = _say(platform, alice, market, str(depth), parentId=parent)
    refused = platform.comment(alice, market, "4", parentId=parent)
    assert (refused.status, refused.body["details"]["field"]) == (422, "parentId")
    assert [one["depth"] for one in _read(platform, market).data[0]["replies"]] == [1, 2, 3]


def test_pages_of_threads_and_of_a_threads_replies(
    platform: Platform, market: str, alice: Wallet
) -> None:
    threads = [_say(platform, alice, market, f"thread {number}") for number in range(3)]
    replies = []
    for number in range(22):
        platform.advance(4)  # twenty a minute
        reply = _say(platform, alice, market, f"reply {number}", parentId=threads[0])
        replies.append(reply)
    page = _read(platform, market, limit=2)
    assert [one["id"] for one in page.data] == [threads[2], threads[1]]
    rest = _read(platform, market, limit=2, cursor=page.body["pagination"]["nextCursor"])
    assert rest.body["pagination"]["nextCursor"] is None
    (last,) = rest.data
    assert (last["id"], last["replyCount"]) == (threads[0], 22)
    assert [one["id"] for one in last["replies"]] == replies[:20]
    seen: list[int] = []
    cursor: str | None = None
    while cursor or not seen:
        query = {"thread": threads[0], "limit": 9} | ({"cursor": cursor} if cursor else {})
        answer = _read(platform, market, **query)
        seen += [one["id"] for one in answer.data]
        cursor = answer.body["pagination"]["nextCursor"]
    assert seen == replies
    assert _read(platform, market, thread=replies[0]).data == []


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("  Hm. \n", "Hm."),
        ("a\x01b\x1b[31mc\x7f\x85d", "ab[31mcd"),
        ("line\r\n\tindented", "line\n\tindented"),
        ("pay \u202eeno\u202c\u2066\u2069", "pay eno"),
        ("<script>alert(1)</script> & <b>", "<script>alert(1)</script> & <b>"),
        ("বাংলা ক্\u200dষ 👩\u200d🚀", "বাংলা ক্\u200dষ 👩\u200d🚀"),
        ("\x01" * 9_000 + "x" * 5_000, "x" * 5_000),
    ],
)
def test_a_text_stays_a_text(
    platform: Platform, market: str, alice: Wallet, sent: str, kept: str
) -> None:
    _say(platform, alice, market, sent)
    assert _shape(platform, market) == [(kept, [])]


def test_what_one_says_of_a_market_has_an_end(
    platform: Platform, admin: Wallet, market: str, alice: Wallet, bob: Wallet
) -> None:
    with platform.database.connect() as owner:
        owner.execute(
            "insert into comments (market_id, user_id, content, created_at)"
            " select %s, %s, 'again', now() from generate_series(1, 499)",
            (market, alice.user_id),
        )
    last = _say(platform, alice, market, "the last")
    platform.call("delete_comment", token=alice.token, id=last)
    refused = platform.comment(alice, market, "one more")
    assert (refused.status, refused.body["code"]) == (409, "CONFLICT")
    assert refused.body["details"]["field"] == "marketId"
    assert "at most 500" in refused.body["error"]
    _say(platform, bob, market, "another's")
    _say(platform, alice, platform.active_market(admin, admin), "elsewhere")


@pytest.mark.parametrize("content", ["", " \n", "\0\x1b", "x" * 5_001, "\ud800", 5, None])
def test_nothing_and_too_much_are_refused(
    platform: Platform, market: str, alice: Wallet, content: Any
) -> None:
    refused = platform.comment(alice, market, content)
    assert refused.status == 400
    assert _shape(platform, market) == []


def test_a_deleted_comment_loses_its_words_and_keeps_its_replies(
    platform: Platform, admin: Wallet, market: str, alice: Wallet, bob: Wallet
) -> None:
    first = _say(platform, alice, market, "one")
    lonely = _say(platform, alice, market, "lonely")
    _say(platform, bob, market, "answer", parentId=first)
    denied = platform.call("delete_comment", token=bob.token, id=first)
    assert denied.status == 403
    done = platform.call("delete_comment", token=alice.token, id=first)
    assert done.data["deletedAt"] == "2026-07-24T12:00:00+00:00"
    platform.advance(5)
    again = platform.call("delete_comment", token=alice.token, id=first)
    assert again.data == done.data
    assert platform.call("delete_comment", token=admin.token, id=lonely).status == 200
    assert _shape(platform, market) == [(None, ["answer"])]
    shown = _read(platform, market).data[0]
    assert (shown["userAddress"], shown["displayName"]) == (None, None)
    for stem, fields in (
        ("create_comment", {"body": {"marketId": market, "content": "x", "parentId": first}}),
        ("like_comment", {"comment_id": first}),
    ):
        refused = platform.call(stem, token=bob.token, **fields)
        assert (refused.status, refused.body["code"]) == (409, "INVALID_STATE")
    log = platform.call("list_audit_log", token=admin.token, query={"resource": "comment"})
    assert [(one["action"], one["actorId"]) for one in log.data][:2] == [
        ("delete_comment", str(admin.user_id)),
        ("delete_comment", str(alice.user_id)),
    ]
    assert len(log.data) == 5
    assert "lonely" not in log.text


def test_a_like_is_turned_on_and_off_and_counted_once_a_person(
    platform: Platform, market: str, alice: Wallet, bob: Wallet
) -> None:
    said = _say(platform, alice, market, "one")

    def like(wallet: Wallet) -> tuple[bool, int]:
        done = platform.call("like_comment", token=wallet.token, comment_id=said).data
        return done["liked"], done["likeCount"]

    assert [like(alice), like(bob), like(alice)] == [(True, 1), (True, 2), (False, 1)]
    with platform.threads(8) as pool:
        list(pool.map(lambda _: like(bob), range(9)))  # off in the end
    assert _read(platform, market).data[0]["likeCount"] == 0


def test_an_answer_and_a_deletion_take_turns(
    platform: Platform, market: str, alice: Wallet
) -> None:
    first = _say(platform, alice, market, "one")
    people = [platform.sign_in() for _ in range(7)]

    def act(wallet: Wallet | None) -> int:
        if wallet is None:
            return platform.call("delete_comment", token=alice.token, id=first).status
        return platform.comment(wallet, market, "answer", parentId=first).status

    with platform.threads(8) as pool:
        statuses = list(pool.map(act, [*people[:3], None, *people[3:]]))
    assert statuses[3] == 200
    assert set(statuses) <= {200, 201, 409}
    threads = _read(platform, market).data
    answers = statuses.count(201)
    assert [(one["replyCount"], len(one["replies"])) for one in threads] == (
        [(answers, answers)] if answers else []
    )


def test_who_is_answered_is_told_once_and_not_by_oneself(
    platform: Platform, market: str, alice: Wallet, bob: Wallet
) -> None:
    first = _say(platform, alice, market, "one")
    _say(platform, alice, market, "myself", parentId=first)
    reply = _say(platform, bob, market, "answer", parentId=first)
    _say(platform, alice, market, "thanks", parentId=reply)
    for _ in range(2):
        platform.advance(60)
        platform.deliver("sweep_outbox")
    for wallet, answered in ((alice, reply), (bob, reply + 1)):
        told = platform.call("list_notifications", token=wallet.token).data
        replies = [one for one in told if one["type"] == "comment_reply"]
        assert [(one["commentId"], one["marketId"]) for one in replies] == [(answered, market)]
        assert "answered your comment" in replies[0]["body"]
        assert replies[0]["bodyBn"]


def test_what_is_not_there(platform: Platform, admin: Wallet, market: str, alice: Wallet) -> None:
    nowhere = str(admin.user_id)
    other = platform.active_market(admin, admin)
    said = _say(platform, alice, market, "one")
    assert _read(platform, nowhere).status == 404
    refused = platform.comment(alice, nowhere)
    assert (refused.status, refused.body["details"]["field"]) == (404, "marketId")
    refused = platform.comment(alice, other, "x", parentId=said)
    assert (refused.status, refused.body["details"]["field"]) == (404, "parentId")
    assert platform.call("like_comment", token=alice.token, comment_id=said + 9).status == 404
    assert platform.call("delete_comment", token=alice.token, id=said + 9).status == 404
    assert platform.call("create_comment", body={"marketId": market, "content": "x"}).status == 401
