"""Whether the platform can send anything to the chain, without loading what would send it."""

from presage import config

NEEDED = ("SOLANA_RPC_URL", "ZMART_PROGRAM_ID", "SOLANA_AUTHORITY_KEY")


def can_send() -> bool:
    """Whether there is a cluster, a programme and a key; without one of them nothing is sent."""
    return all(config.get(name) for name in NEEDED)
