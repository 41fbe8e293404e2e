"""Upstash's Lua dialect on Valkey.

Upstash's scripts (its rate limiter's, for one) declare a flag of its own in the first line,
`#!lua flags=allow-key-locking`, which Valkey refuses. The flag is taken out on the way, and a
digest computed from the original text still finds the script.
"""

import hashlib
import re

_FLAG = b"allow-key-locking"
_SHEBANG = re.compile(rb"^#!lua[^\n]*")


class ScriptDialect:
    """Rewrites script commands; remembers the digests of the scripts it changed."""

    def __init__(self) -> None:
        self._digests: dict[bytes, bytes] = {}

    def translate(self, command: list[bytes]) -> list[bytes]:
        """The command as Valkey understands it."""
        match [word.upper() for word in command[:2]]:
            case [b"EVAL" | b"EVAL_RO", _]:
                return [command[0], self._plain(command[1]), *command[2:]]
            case [b"EVALSHA" | b"EVALSHA_RO", _]:
                return [command[0], self._digest(command[1]), *command[2:]]
            case [b"SCRIPT", b"LOAD"]:
                return [*command[:2], *map(self._plain, command[2:])]
            case [b"SCRIPT", b"EXISTS"]:
                return [*command[:2], *map(self._digest, command[2:])]
        return command

    def _digest(self, digest: bytes) -> bytes:
        return self._digests.get(digest.lower(), digest)

    def _plain(self, script: bytes) -> bytes:
        first = _SHEBANG.match(script)
        if first is None or _FLAG not in first[0]:
            return script
        words = first[0].split()
        flags = b",".join(
            flag
            for word in words[1:]
            for flag in word.removeprefix(b"flags=").split(b",")
            if flag != _FLAG
        )
        shebang = words[0] + (b" flags=" + flags if flags else b"")
        plain = shebang + script[first.end() :]
        self._digests[_sha1(script)] = _sha1(plain)
        return plain


def _sha1(text: bytes) -> bytes:
    # Redis names scripts by SHA-1; nothing is secured by it.
    return hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()
