"""What makes a repeat a repeat: the same key and the same request, however it was spelled."""

import hashlib
from typing import Any


def request_hash(fields: dict[str, Any]) -> bytes:
    """What the caller asked for, spelled one way: 0.5 and "0.50" are the same order."""
    text = "\n".join(f"{name}={fields[name]}" for name in sorted(fields))
    return hashlib.sha256(text.encode()).digest()
