"""Slots, heights and blockhashes, all counted from the clock: nothing runs between two requests.

A slot takes 400 ms of the clock; `skip` adds slots without time passing. In simulated time a landed
transaction also ends its slot, so that it is confirmed although the clock stands still.
"""

import hashlib
from typing import Literal

from solders.hash import Hash

from infra.local.clock import now_ms

SLOT_MS = 400
GENESIS_SLOT = 300_000_000
SKIPPED_SLOTS = 21_000_000  # a block's height is below its slot: who mixes them up must notice
FINALITY_SLOTS = 32
FIRST_SLOT = GENESIS_SLOT + 2 * FINALITY_SLOTS  # genesis is final from the start
CONFIRMATION_SLOTS = 1
HASH_LIFETIME_BLOCKS = 150
MAX_KEPT_HASHES = 1_000

type Commitment = Literal["processed", "confirmed", "finalized"]

_LAGS: dict[Commitment, int] = {
    "processed": 0,
    "confirmed": CONFIRMATION_SLOTS,
    "finalized": FINALITY_SLOTS,
}


class Slots:
    """What time it is on chain."""

    def __init__(self, genesis_ms: int, offset: int = 0) -> None:
        self.genesis_ms = genesis_ms
        self.offset = offset
        self._last = 0
        self._hashes: dict[Hash, int] = {}

    @property
    def now(self) -> int:
        """The slot being made; it never goes back, whatever the clock does."""
        elapsed = (now_ms() - self.genesis_ms) // SLOT_MS
        self._last = max(self._last, FIRST_SLOT + self.offset + elapsed)
        return self._last

    def skip(self, count: int) -> None:
        """Let that many slots pass at once."""
        self.offset += count

    def seen(self, commitment: Commitment, lag: int = 0) -> int:
        """The newest slot of a commitment; a lagging node knows it `lag` slots later."""
        return max(GENESIS_SLOT, self.now - _LAGS[commitment] - lag)

    @staticmethod
    def height(slot: int) -> int:
        """The height of a slot's block."""
        return slot - SKIPPED_SLOTS

    def blockhash(self, slot: int) -> Hash:
        """A slot's blockhash; who was told it may use it."""
        made = hash_of(slot)
        self._hashes.pop(made, None)
        self._hashes[made] = slot
        while len(self._hashes) > MAX_KEPT_HASHES:
            del self._hashes[next(iter(self._hashes))]
        return made

    def last_valid_height(self, blockhash: Hash) -> int | None:
        """Until which height a blockhash is good; None when nobody was ever told it."""
        slot = self._hashes.get(blockhash)
        return None if slot is None else self.height(slot) + HASH_LIFETIME_BLOCKS

    def is_valid(self, blockhash: Hash, slot: int) -> bool:
        """Whether a block at `slot` knows this blockhash, and may still take it."""
        made = self._hashes.get(blockhash)
        return made is not None and made <= slot <= made + HASH_LIFETIME_BLOCKS

    @property
    def told(self) -> list[int]:
        """The slots whose hashes were told, for the state file."""
        return list(self._hashes.values())


def hash_of(slot: int) -> Hash:
    """The blockhash of a slot."""
    return Hash(hashlib.sha256(f"presage local block {slot}".encode()).digest())
