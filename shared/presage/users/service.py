"""A wallet by its address: what it did on Solana is public, what it did here is its owner's.

Each list has what is on Solana first, then what is here, in one flush: a page that begins behind
the chain's rows asks for none of them.
"""

from typing import Any, Protocol

from presage import clock
from presage.call import Call
from presage.db import connection
from presage.db.queries import Query, beside
from presage.errors import NotFoundError, ValidationFailedError
from presage.identity.sign_in_message import chain_of
from presage.paging import Mark, decode, encode, moment_of, uuid_of
from presage.schema import Page, Pagination, ResponseModel
from presage.users.models import (
    ListOfUser,
    UserPosition,
    UserProfile,
    UserTrade,
    UserVote,
    WalletPath,
)
from presage.users.rows import (
    ChainPosition,
    ChainStats,
    ChainTrade,
    ChainVote,
    Known,
    NativePosition,
    NativeTrade,
    NativeVote,
    Profile,
)

MAX_UNIX_S = 4_102_444_800  # the last that is indexed
_queries = beside(__file__)

# A query, its rows, and where the page begins.
type _List = tuple[Query, type[Any], dict[str, Any]]


class _Row[ViewT: ResponseModel](Protocol):
    def view(self) -> ViewT: ...

    def mark(self) -> Mark: ...


def get_user_profile(call: Call, request: WalletPath) -> UserProfile:
    """Who a wallet is and what it has done, here only as far as the caller may know.

    Raises:
        NotFoundError: it never signed in and did nothing on chain.
    """
    params = _whose(call, request.wallet)
    known, users, [chain] = connection.run(
        call,
        [
            (_queries["know_wallet"], Known, params),
            (_queries["get_user"], Profile, params),
            (_queries["get_chain_stats"], ChainStats, params),
        ],
    )
    _require(known)
    user: Profile | None = users[0] if users else None
    return UserProfile(
        wallet=request.wallet,
        chain=chain_of(request.wallet),
        display_name=user.display_name if user else None,
        joined_at=user.joined_at if user else None,
        solana=chain.stats(),
        native=user.stats() if user else None,
    )


def list_user_positions(call: Call, request: ListOfUser) -> Page[UserPosition]:
    """A page of what a wallet holds or held, by market.

    Raises:
        NotFoundError: it never signed in and did nothing on chain.
    """
    mark = decode(request.cursor, str, str, int)
    on_chain, here = _marks(mark)
    rows = _rows(
        call,
        request,
        mark,
        (
            _queries["list_chain_positions"],
            ChainPosition,
            {"after_key": on_chain[1] if on_chain else None},
        ),
        (
            _queries["list_native_positions"],
            NativePosition,
            {
                "after_id": uuid_of(here[1]) if here else None,
                "after_outcome": here[2] if here else None,
            },
        ),
    )
    return _page(request, rows)


def list_user_trades(call: Call, request: ListOfUser) -> Page[UserTrade]:
    """A page of a wallet's trades, newest first.

    Raises:
        NotFoundError: it never signed in and did nothing on chain.
    """
    mark = decode(request.cursor, str, int, int, int, int, str)
    on_chain, here = _marks(mark)
    rows = _rows(
        call,
        request,
        mark,
        (
            _queries["list_chain_trades"],
            ChainTrade,
            {
                "before_time": _block_time(on_chain[1]) if on_chain else None,
                "before_slot": on_chain[2] if on_chain else None,
                "before_index": on_chain[3] if on_chain else None,
                "before_ordinal": on_chain[4] if on_chain else None,
                "before_signature": on_chain[5] if on_chain else None,
            },
        ),
        (
            _queries["list_native_trades"],
            NativeTrade,
            {
                "before_seq": here[1] if here else None,
                "before_fill": here[2] if here else None,
            },
        ),
    )
    traded = [row for row in rows if not isinstance(row, NativeTrade) or row.fill_id is not None]
    page = _page(request, traded)
    if page.pagination.next_cursor is None and len(traded) < len(rows):
        # Many orders never traded: those before the last one that was looked at come next.
        looked_at = encode(["native", rows[-1].seq, 0, 0, 0, ""])
        return Page(page.data, Pagination(limit=request.limit, next_cursor=looked_at))
    return page


def list_user_votes(call: Call, request: ListOfUser) -> Page[UserVote]:
    """A page of a wallet's votes, newest first.

    Raises:
        NotFoundError: it never signed in and did nothing on chain.
    """
    mark = decode(request.cursor, str, str, str, str)
    on_chain, here = _marks(mark)
    rows = _rows(
        call,
        request,
        mark,
        (
            _queries["list_chain_votes"],
            ChainVote,
            {
                "before": moment_of(on_chain[1]) if on_chain else None,
                "before_key": on_chain[2] if on_chain else None,
                "before_kind": on_chain[3] if on_chain else None,
            },
        ),
        (
            _queries["list_native_votes"],
            NativeVote,
            {
                "before": moment_of(here[1]) if here else None,
                "before_id": uuid_of(here[2]) if here else None,
            },
        ),
    )
    return _page(request, rows)


def _whose(call: Call, wallet: str) -> dict[str, object]:
    """A wallet, and whether the caller asks as an admin: by a credential that may."""
    actor = call.actor
    return {"wallet": wallet, "as_admin": actor is not None and actor.acts_as_admin}


def _marks(mark: Mark | None) -> tuple[Mark | None, Mark | None]:
    """Where a page begins among the chain's rows, and among ours."""
    if mark is not None and mark[0] not in {"solana", "native"}:
        raise ValidationFailedError("cursor is not one of ours.", field="cursor")
    return (mark, None) if mark and mark[0] == "solana" else (None, mark)


def _rows(
    call: Call,
    request: ListOfUser,
    mark: Mark | None,
    on_chain: _List,
    here: _List,
) -> list[Any]:
    """One row more than a page of both lists, one after the other."""
    whose = _whose(call, request.wallet) | {"limit": request.limit + 1}
    is_past_chain = mark is not None and mark[0] == "native"
    of_chain = whose | on_chain[2] | ({"limit": 0} if is_past_chain else {})
    known, first, second = connection.run(
        call,
        [
            (_queries["know_wallet"], Known, whose),
            (on_chain[0], on_chain[1], of_chain),
            (here[0], here[1], whose | here[2]),
        ],
    )
    _require(known)
    return [*first, *second]


def _page[ViewT: ResponseModel](request: ListOfUser, rows: list[_Row[ViewT]]) -> Page[ViewT]:
    shown = rows[: request.limit]
    cursor = encode(shown[-1].mark()) if len(rows) > request.limit else None
    return Page([row.view() for row in shown], Pagination(limit=request.limit, next_cursor=cursor))


def _require(known: list[Known]) -> None:
    if not known[0].is_known:
        raise NotFoundError("This wallet is not known.", field="wallet")


def _block_time(unix_s: int | str) -> object:
    if not isinstance(unix_s, int) or not 0 <= unix_s <= MAX_UNIX_S:
        raise ValidationFailedError("cursor is not one of ours.", field="cursor")
    return clock.from_ms(1000 * unix_s)
