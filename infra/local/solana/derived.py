"""Addresses that `zmart_core` derives, with their bumps."""

from solders.pubkey import Pubkey

from presage.chain import programme


def derived(*seeds: bytes) -> tuple[Pubkey, int]:
    """The address of these seeds, and its bump."""
    return Pubkey.find_program_address(seeds, programme.program_id())
