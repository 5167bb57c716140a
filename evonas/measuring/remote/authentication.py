"""Which clients of a measuring server have shown its token, and how many that have not may be connected."""

import hmac
import socket
import threading
from collections import Counter
from contextlib import suppress

STRANGERS = 32
"""Connections that have not shown the token yet, at most; one more closes the oldest of the address with the most."""


class Authentication:
    """Knows a server's token and the connections that have not shown it.

    Args:
        token: The token that clients must send.
    """

    def __init__(self, token: str) -> None:
        self._token, self._lock = f"Bearer {token}".encode(), threading.Lock()
        self._strangers: dict[socket.socket, str] = {}  # oldest first, by address

    def accepts(self, authorization: str) -> bool:
        """Whether a header `Authorization` has the token; takes as long whatever it holds."""
        return hmac.compare_digest(authorization.encode(errors="replace"), self._token)

    def connected(self, connection: socket.socket, address: str) -> None:
        """Counts a new connection among the strangers, and closes one where those are too many."""
        with self._lock:
            self._strangers[connection] = address
            if len(self._strangers) > STRANGERS:
                most = Counter(self._strangers.values()).most_common(1)[0][0]
                oldest = next(each for each, own in self._strangers.items() if own == most)
                del self._strangers[oldest]
                with suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)  # its thread reads the end, and closes it

    def forget(self, connection: socket.socket) -> None:
        """Counts a connection no longer among the strangers: it has shown the token, or ended."""
        with self._lock:
            self._strangers.pop(connection, None)
