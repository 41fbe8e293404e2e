"""Run the local Solana cluster: `python -m infra.local.solana --port N`.

Settings: ZMART_PROGRAM_ID, SOLANA_AUTHORITY_KEY, HELIUS_API_KEY, and for a first webhook that
watches the programme HELIUS_WEBHOOK_SECRET with `--webhook URL`.
"""

import argparse
import os
from pathlib import Path

import orjson

from infra.local.asgi import serve
from infra.local.clock import now_ms
from infra.local.solana.chain import Chain, keypair
from infra.local.solana.helius import Helius
from infra.local.solana.server import Server

WEBHOOK_ID = "00000000-0000-4000-8000-000000000001"


def main() -> None:
    """Serve until the supervisor ends it, or is gone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--webhook", help="where a webhook of the programme delivers to")
    parser.add_argument("--state", type=Path, help="keep the chain in this file")
    options = parser.parse_args()
    chain = Chain(keypair(os.environ["SOLANA_AUTHORITY_KEY"]), now_ms())
    saved = None
    if options.state is not None and options.state.exists():
        saved = orjson.loads(options.state.read_bytes())
        chain.restore(saved)
    helius = Helius(chain, os.environ.get("HELIUS_API_KEY", ""))
    helius.hooks = saved["hooks"] if saved else {}
    if options.webhook and WEBHOOK_ID not in helius.hooks:
        helius.create({"accountAddresses": [os.environ["ZMART_PROGRAM_ID"]]}, WEBHOOK_ID)
    if options.webhook:  # another start may have other ports
        helius.hooks[WEBHOOK_ID]["webhookURL"] = options.webhook
        helius.hooks[WEBHOOK_ID]["authHeader"] = os.environ.get("HELIUS_WEBHOOK_SECRET", "")
    if not saved:  # with the webhook in place: who indexes hears of the programme's config too
        chain.begin()
    serve(Server(chain, helius, options.state), options.port)


if __name__ == "__main__":
    main()
