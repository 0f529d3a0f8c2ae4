"""One port for https and http: the first byte of a connection tells which of them it speaks.

Whoever types an address without its scheme gets a redirect from the guard and not a broken
connection, and a phone can fetch the private authority's certificate before it trusts it.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Final

_HANDSHAKE: Final = b"\x16"
"""The content type of a TLS record that begins a handshake (RFC 8446, 5.1)."""
_FIRST_BYTE_S: Final = 20.0
_FULL_S: Final = 1.0
_AT_ONCE: Final = 100
_log = logging.getLogger(__name__)


class SharedPort:
    """
    Takes the connections of a listener, as an ``asyncio.Server`` does.

    Parameters
    ----------
    listener
        Bound and listening.
    context
        For connections that speak TLS.
    make_protocol
        Of HTTP; one for each connection.
    """

    def __init__(
        self,
        listener: socket.socket,
        context: ssl.SSLContext,
        make_protocol: Callable[[], asyncio.Protocol],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener, self._context, self._make_protocol = listener, context, make_protocol
        self._beginning: set[asyncio.Task[None]] = set()
        self._open = True
        listener.setblocking(False)
        self._listen()

    def close(self) -> None:
        """Take no further connection; those that are open stay."""
        self._open = False
        self._loop.remove_reader(self._listener)
        for task in self._beginning:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait until nothing begins any more."""
        await asyncio.gather(*self._beginning, return_exceptions=True)

    def _listen(self) -> None:
        if self._open:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no more open files: those who wait stay in the backlog
                _log.warning("no connection taken: %s", error.strerror)
                self._loop.remove_reader(self._listener)
                self._loop.call_later(_FULL_S, self._listen)
                return
            task = self._loop.create_task(self._begin(connection))
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

    async def _begin(self, connection: socket.socket) -> None:
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(_FIRST_BYTE_S):
                first = await self._peek(connection)
            context = self._context if first == _HANDSHAKE else None
            await self._loop.connect_accepted_socket(self._make_protocol, connection, ssl=context)
        except (OSError, TimeoutError):  # gone, silent, or no handshake came about
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise

    async def _peek(self, connection: socket.socket) -> bytes:
        ready = asyncio.Event()
        self._loop.add_reader(connection, ready.set)
        try:
            await ready.wait()
        finally:
            self._loop.remove_reader(connection)
        return connection.recv(1, socket.MSG_PEEK)
