"""The daily rotation: stored credentials go under the present key of CREDENTIAL_KEYS."""

import uuid
from collections import Counter
from typing import Any

from presage import metrics
from presage.db import connection
from presage.db.connection import Statement
from presage.db.queries import beside
from presage.errors import UnavailableError
from presage.identity.credentials import Stored
from presage.identity.sealing import Keyring, SealError, keyring
from presage.ops import escalations
from presage.workflows.run import Outcome, Run

CHUNK = 100
_FIRST = {"user_id": str(uuid.UUID(int=0)), "venue": ""}
_queries = beside(__file__)


def rotate_credentials(run: Run) -> Outcome:
    """Put every stored credential under the present key, a chunk a transaction.

    One that does not open is kept as it is, recorded, counted, and brought before a human once for
    each key id; so is everything when the setting is missing.
    """
    ring = _ring()
    after = dict(run.cursor) or _FIRST
    rotated = 0
    unreadable: Counter[str] = Counter()
    is_more = True
    while is_more and not run.out_of_time:
        params = {"key_id": ring.current, "limit": CHUNK, **after}
        rows = connection.fetch_all(run.call, _queries["stale_credentials"], Stored, params)
        rotated += _rotate(run, ring, rows, unreadable)
        if rows:
            after = {"user_id": str(rows[-1].user_id), "venue": rows[-1].venue}
        is_more = len(rows) == CHUNK
    for key_id, count in unreadable.items():
        metrics.count("CredentialsUnreadable", count)
        escalations.ask_support(
            run.call,
            f"credential_key:{key_id}",
            "Stored venue credentials do not open: give their key back to CREDENTIAL_KEYS, "
            "or ask their owners to link again.",
            {"keyId": key_id, "count": count},
        )
    counts = {"rotated": rotated, "unreadable": unreadable.total()}
    return Outcome(counts=counts, next_cursor=after if is_more else None)


def _ring() -> Keyring:
    try:
        return keyring()
    except UnavailableError:
        return Keyring("", {})


def _rotate(run: Run, ring: Keyring, rows: list[Stored], unreadable: Counter[str]) -> int:
    """Store what opens under the present key; how many that were.

    One that failed before is always tried again: it costs nothing, and its key may be back.
    """
    changes: list[Statement[Any]] = []
    for row in rows:
        try:
            text = ring.open(row.user_id, row.venue, row.sealed)
        except SealError as error:
            run.fail(f"{row.user_id}:{row.venue}", error)
            unreadable[row.key_id] += 1
            continue
        sealed = ring.seal(row.user_id, row.venue, text)
        change = {
            "user_id": row.user_id,
            "venue": row.venue,
            "old_nonce": row.nonce,
            "key_id": sealed.key_id,
            "nonce": sealed.nonce,
            "ciphertext": sealed.ciphertext,
        }
        changes.append((_queries["reseal_credentials"], None, change))
    if changes:
        done = {
            "key_id": ring.current,
            "count": len(changes),
            "request_id": run.call.request_id,
            "now": run.call.now,
        }
        connection.run(run.call, [*changes, (_queries["audit_rotation"], None, done)])
    return len(changes)
