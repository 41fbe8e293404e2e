"""The platform as a workflow that sends a market's tally, and what became of it."""

import uuid
from dataclasses import dataclass
from typing import Any

import httpx
from psycopg.rows import class_row
from solders.pubkey import Pubkey

from presage import clock
from presage.call import Call
from presage.chain import instructions, sending
from presage.chain.confirming import chain_confirm
from presage.chain.sending import ChainTransaction
from presage.workflows.run import Outcome, Run
from tests.cluster import AUTHORITY, Cluster
from tests.harness import Platform

PURPOSE = "aggregate_proposal_votes"


@dataclass
class Sender:
    """The platform as a workflow that sends a market's tally, and the chain it sends to."""

    platform: Platform
    cluster: Cluster
    market_id: uuid.UUID
    market: Pubkey
    redis_url: str

    def submit(
        self, likes: int = 7, market_id: uuid.UUID | None = None, call: Call | None = None
    ) -> ChainTransaction:
        """Send the tally, as a run that begins now or as another."""
        aggregate = instructions.build(
            "aggregate_proposal_votes",
            {"market": self.market, "backend_authority": AUTHORITY.pubkey()},
            final_likes=likes,
            final_dislikes=3,
        )
        call = call or self.platform.as_zone("worker")
        return sending.submit(call, PURPOSE, market_id or self.market_id, [aggregate])

    def confirm(self) -> Outcome:
        """One slice of chain_confirm."""
        self.platform.advance(sending.RESEND_S)
        slot = clock.floor_to(clock.now(), 60)
        run = Run(
            id=uuid.uuid4(), name="chain_confirm", slot=slot, call=self.platform.as_zone("worker")
        )
        return chain_confirm(run)

    def row(self) -> ChainTransaction:
        """What was last signed."""
        with self.platform.database.connect() as owner:
            cursor = owner.cursor(row_factory=class_row(ChainTransaction))
            found = cursor.execute(
                "select id, purpose, market_id, signature, raw, last_valid_block_height, status,"
                " attempts, error from chain_transactions where market_id = %s"
                " order by created_at desc limit 1",
                (self.market_id,),
            ).fetchone()
        assert found is not None
        return found

    def rows(self) -> list[tuple[Any, ...]]:
        """Every row: signature and status, oldest first."""
        with self.platform.database.connect() as owner:
            return owner.execute(
                "select signature, status from chain_transactions order by created_at, id"
            ).fetchall()

    def landed(self) -> list[str]:
        """The tallies that the chain has, newest first."""
        found = self.cluster.rpc(
            "getSignaturesForAddress", str(self.market), {"commitment": "confirmed"}
        )
        return [one["signature"] for one in found][:-1]  # all but the market's creation

    def alerts(self) -> list[tuple[Any, ...]]:
        """What operators are told."""
        with self.platform.database.connect() as owner:
            return owner.execute(
                "select type, fingerprint, count from ops_alerts order by id"
            ).fetchall()

    def redis(self, *command: str) -> Any:
        """A command of the platform's Redis."""
        authorized = {"Authorization": "Bearer test-token"}
        answer = httpx.post(self.redis_url, json=list(command), headers=authorized)
        return answer.raise_for_status().json()["result"]
