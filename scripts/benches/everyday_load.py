"""A lean HTTP client on loopback: keeps connections open, and does no more than read an answer.

One process and one thread, on sockets of asyncio's own, so that little of the machine is taken from
the server that is measured. Bounded by a number of requests or by a time.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import uvloop

PATIENCE_S: Final = 120.0
_HEAD_END: Final = b"\r\n\r\n"


@dataclass(frozen=True)
class Ask:
    """
    A request.

    Attributes
    ----------
    path
        With its query.
    body
        JSON of a POST; None is a GET.
    kind
        What it is counted under.
    """

    path: str
    body: bytes | None = None
    kind: str = ""

    def written(self, cookie: str) -> bytes:
        """
        Write it as a browser would send it.

        Parameters
        ----------
        cookie
            Who asks.

        Returns
        -------
        bytes
            Head and body.
        """
        method = "GET" if self.body is None else "POST"
        head = (
            f"{method} {self.path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n"
            "Accept-Encoding: gzip\r\n"
        )
        if cookie:
            head += f"Cookie: {cookie}\r\n"
        if self.body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(self.body)}\r\n"
        return f"{head}\r\n".encode() + (self.body or b"")


@dataclass(frozen=True)
class Answer:
    """
    What came back.

    Attributes
    ----------
    status
        0 where nothing came within :data:`PATIENCE_S`, or the connection broke.
    seconds
        From the first byte sent to the last one read.
    """

    status: int
    seconds: float
    head: bytes = b""
    body: bytes = b""


@dataclass
class Load:
    """
    What many callers got.

    Attributes
    ----------
    seconds
        From the first request to the last answer.
    answers
        Status and seconds by kind.
    """

    seconds: float = 0.0
    answers: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    def taken(self, kind: str | None = None) -> list[float]:
        """
        List the seconds of what was answered.

        Parameters
        ----------
        kind
            Of this kind; all where None.

        Returns
        -------
        list of float
            Of answers below 400.
        """
        return [seconds for status, seconds in self._of(kind) if 0 < status < 400]

    def count(self, low: int, high: int) -> int:
        """
        Count answers by their status.

        Parameters
        ----------
        low, high
            The first and the last status that counts.

        Returns
        -------
        int
            How many.
        """
        return sum(low <= status <= high for status, _ in self._of(None))

    def _of(self, kind: str | None) -> Iterator[tuple[int, float]]:
        for name, answers in self.answers.items():
            if kind is None or name == kind:
                yield from answers


class Client:
    """
    Callers of one server.

    Parameters
    ----------
    port
        On loopback.
    cookie
        Who asks, as ``Cookie`` says it.
    """

    def __init__(self, port: int, cookie: str = "") -> None:
        self._port = port
        self._cookie = cookie

    def each(self, asks: Iterable[Ask]) -> list[Answer]:
        """
        Ask one thing after the other, on one connection.

        Parameters
        ----------
        asks
            What.

        Returns
        -------
        list of Answer
            In order, with heads and bodies.
        """

        async def work() -> list[Answer]:
            line = _Line(self._port)
            try:
                return [await line.ask(ask.written(self._cookie)) for ask in asks]
            finally:
                line.close()

        return uvloop.run(work())

    def many(
        self, asks: Sequence[Ask] | Iterator[Ask], callers: int, *, seconds: float | None = None
    ) -> Load:
        """
        Let many callers ask at once, each the next thing as soon as it has its answer.

        Parameters
        ----------
        asks
            What, in the order in which the callers take it.
        callers
            How many; each has a connection of its own.
        seconds
            No new request begins after so long; all of ``asks`` where None.

        Returns
        -------
        Load
            Without heads and bodies.
        """
        load = Load()
        waiting = iter(asks)

        async def caller(until: float) -> None:
            line = _Line(self._port)
            for ask in waiting:
                answer = await line.ask(ask.written(self._cookie))
                load.answers.setdefault(ask.kind, []).append((answer.status, answer.seconds))
                if answer.status == 503:  # told to come back later; at once would be no caller
                    await asyncio.sleep(_retry_after(answer.head))
                if time.perf_counter() > until:
                    break
            line.close()

        async def work() -> None:
            began = time.perf_counter()
            until = began + (seconds or float("inf"))
            await asyncio.gather(*(caller(until) for _ in range(callers)))
            load.seconds = time.perf_counter() - began

        uvloop.run(work())
        return load


class _Line:
    """One connection; opened again where the server ends it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, sent: bytes) -> Answer:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE_S):
                if self._streams is None:
                    self._streams = await asyncio.open_connection("127.0.0.1", self._port)
                reader, writer = self._streams
                writer.write(sent)
                head = await reader.readuntil(_HEAD_END)
                body = await _body(reader, head.lower())
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            self.close()
            return Answer(0, time.perf_counter() - began)
        seconds = time.perf_counter() - began
        if b"\r\nconnection: close\r\n" in head.lower():
            self.close()
        return Answer(int(head[9:12]), seconds, head, body)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    length = _header(head, b"content-length")
    if length:
        return await reader.readexactly(int(length))
    parts = []
    if _header(head, b"transfer-encoding") == b"chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            parts.append((await reader.readexactly(size + 2))[:-2])
        await reader.readexactly(2)
    return b"".join(parts)


def _header(head: bytes, name: bytes) -> bytes:
    _, found, rest = head.lower().partition(b"\r\n" + name + b":")
    return rest.partition(b"\r\n")[0].strip() if found else b""


def _retry_after(head: bytes) -> float:
    said = _header(head, b"retry-after")
    return min(float(said), 10.0) if said.isdigit() else 1.0
