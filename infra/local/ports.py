"""Loopback ports: find a free one, or keep to a preferred one when nobody has it."""

import socket
import time

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port that nobody listens on now, chosen by the kernel.

    It can be taken before its user binds it; callers that own a server retry.
    """
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def is_free(port: int) -> bool:
    """Whether a server could bind this loopback port now."""
    with socket.socket() as probe:
        # As servers do: a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose_port(preferred: int | None) -> int:
    """The preferred port when it is free, otherwise any free one."""
    if preferred is not None and is_free(preferred):
        return preferred
    return free_port()


def accepts(port: int, timeout_s: float = 0.5) -> bool:
    """Whether something accepts connections on this loopback port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def wait_accepting(port: int, timeout_s: float) -> bool:
    """Wait up to `timeout_s` seconds for a listener on this loopback port."""
    deadline = time.monotonic() + timeout_s
    while not accepts(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
