"""The connections of live calls: answers as servers really send them, in whatever pieces they come, and bad ones."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from openai_support import KEY, Connect

from batchd import LiveCall, ProviderError, TransientError
from batchd_openai.http_connection import AnswerTooLong, Connection, ConnectionBroken, Reply
from batchd_openai.http_pool import request_head

pytestmark = pytest.mark.field("hostile services")

MOST = 1_000
BODY = b'{"a":"1234567890"}'
OK = b"HTTP/1.1 200 OK\r\n"
CALL = LiveCall("job-1", b'{"model":"m","messages":[]}', "/v1/chat/completions", "b-job-1-0")


def whole(body: bytes, *headers: bytes, first: bytes = OK) -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return first + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunks(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    sent = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + sent + end


RAW = zlib.compressobj(wbits=-15)
GOOD = {
    "a length": (whole(BODY), True),
    "header names in any case, no space": (OK + b"content-LENGTH:18\r\nX-Y:z\r\n\r\n" + BODY, True),
    "no reason": (whole(BODY, first=b"HTTP/1.1 200\r\n"), True),
    "chunks": (chunks(BODY[:5], BODY[5:6], BODY[6:]), True),
    "chunks with extensions and trailers": (
        OK + b"Transfer-Encoding: Chunked\r\n\r\n12;x=y\r\n" + BODY + b"\r\n00\r\nExpires: 0\r\nA: b\r\n\r\n",
        True,
    ),
    "news before it": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + whole(BODY), True),
    "closes": (whole(BODY, b"Connection: Close"), False),
    "an old server": (whole(BODY, first=b"HTTP/1.0 200 OK\r\n"), False),
    "an old server that keeps it": (whole(BODY, b"Connection: keep-alive", first=b"HTTP/1.0 200 OK\r\n"), True),
    "to the end": (OK + b"\r\n" + BODY, False),
    "packed": (whole(gzip.compress(BODY), b"Content-Encoding: gzip"), True),
    "packed as zlib": (whole(zlib.compress(BODY), b"Content-Encoding: deflate"), True),
    "packed without a frame": (whole(RAW.compress(BODY) + RAW.flush(), b"Content-Encoding: deflate"), True),
    "two answers": (whole(BODY) + whole(BODY), False),
}
BAD: dict[str, tuple[bytes, type[Exception], str]] = {
    "nothing": (b"", ConnectionBroken, "closed the connection"),
    "half a head": (OK + b"Content-", ConnectionBroken, "before its answer was whole"),
    "half a body": (whole(BODY)[:-1], ConnectionBroken, "before its answer was whole"),
    "half of the chunks": (chunks(BODY, end=b""), ConnectionBroken, "before its answer was whole"),
    "no end of the trailers": (chunks(BODY, end=b"0\r\nA: b\r\n"), ConnectionBroken, "before its answer was whole"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", ConnectionBroken, "not HTTP/1.1: 'SSH-2.0"),
    "no status": (b"HTTP/1.1 OK\r\n\r\n", ConnectionBroken, "not HTTP/1.1"),
    "HTTP/2": (b"HTTP/2 200\r\n\r\n", ConnectionBroken, "not HTTP/1.1"),
    "a length that is none": (OK + b"Content-Length: -1\r\n\r\n" + BODY, ConnectionBroken, "is no number: -1"),
    "two lengths": (whole(BODY, b"Content-Length: 3"), ConnectionBroken, "is no number: 3, 18"),
    "another coding": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", ConnectionBroken, "does not read: gzip"),
    "a chunk of no length": (OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n", ConnectionBroken, "a chunk as b'-5'"),
    "a chunk that goes on": (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", ConnectionBroken, "other lengths"),
    "headers without end": (OK + b"A: b\r\n" * 20_000, ConnectionBroken, "headers are longer"),
    "news without end": (b"HTTP/1.1 100 Continue\r\n\r\n" * 4_000, ConnectionBroken, "headers are longer"),
    "a chunk line without end": (chunks(BODY, end=b"0" * 9_000), ConnectionBroken, "have no end"),
    "trailers without end": (chunks(BODY, end=b"0\r\n" + b"A: b\r\n" * 20_000), ConnectionBroken, "have no end"),
    "too long": (whole(b"x" * 2_000), AnswerTooLong, ""),
    "too long, in chunks": (chunks(*[b"x" * 100] * 20), AnswerTooLong, ""),
    "too long, to the end": (OK + b"\r\n" + b"x" * 2_000, AnswerTooLong, ""),
    "too long once unpacked": (whole(gzip.compress(b"x" * 9_000), b"Content-Encoding: gzip"), AnswerTooLong, ""),
    "packed and cut": (whole(gzip.compress(BODY)[:-9], b"Content-Encoding: gzip"), ConnectionBroken, "unpacked"),
    "packed otherwise": (whole(BODY, b"Content-Encoding: br"), ConnectionBroken, "does not read: br"),
}


class Wire(asyncio.Transport):
    """The other end of a connection, in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data

    def abort(self) -> None:
        self.closed = True


async def answered(sent: bytes, cut: Callable[[bytes], list[bytes]]) -> tuple[Reply | Exception, Connection, Wire]:
    """What a call becomes if the server sends this in these pieces, and then closes."""
    connection, wire = Connection(MOST), Wire()
    connection.connection_made(wire)
    call = asyncio.ensure_future(connection.ask(b"GET / HTTP/1.1\r\n\r\n"))
    await asyncio.sleep(0)
    for piece in cut(sent):
        if not call.done() and not wire.closed:
            connection.data_received(piece)
    if not connection.usable:
        connection.connection_lost(None)
    try:
        return await call, connection, wire
    except (ConnectionBroken, AnswerTooLong) as error:
        return error, connection, wire


def at_once(sent: bytes) -> list[bytes]:
    return [sent]


def byte_by_byte(sent: bytes) -> list[bytes]:
    return [sent[at : at + 1] for at in range(len(sent))]


async def test_answers_are_read_in_whatever_pieces_they_come() -> None:
    faults: list[str] = []
    for name, (sent, kept) in GOOD.items():
        ways: list[Callable[[bytes], list[bytes]]] = [at_once]
        if name != "two answers":
            ways += [byte_by_byte, *(lambda text, at=at: [text[:at], text[at:]] for at in range(1, len(sent)))]
        for way in ways:
            reply, connection, wire = await answered(sent, way)
            if not isinstance(reply, Reply) or (reply.status, reply.body) != (200, BODY):
                faults.append(f"{name}: {reply!r}")
            elif connection.usable != kept or wire.closed == kept:
                faults.append(f"{name}: kept {connection.usable}")
    assert not faults, "\n".join(faults)


async def test_what_is_no_answer_ends_the_call_and_the_connection() -> None:
    faults: list[str] = []
    for name, (sent, kind, words) in BAD.items():
        for way in (at_once, byte_by_byte) if len(sent) < 3_000 else (at_once,):
            error, connection, wire = await answered(sent, way)
            if not isinstance(error, kind) or words not in str(error):
                faults.append(f"{name}: {error!r}")
            elif connection.usable or not wire.closed:
                faults.append(f"{name}: not closed")
    assert not faults, "\n".join(faults)


async def test_the_beginning_of_a_long_error_is_enough() -> None:
    for sent in (
        whole(b"x" * 200_000, first=b"HTTP/1.1 500 No\r\n"),
        chunks(b"x" * 200_000).replace(b"200 OK", b"500 No", 1),
        whole(gzip.compress(b"x" * 900_000), b"Content-Encoding: gzip", first=b"HTTP/1.1 500 No\r\n"),
    ):
        reply, _, _ = await answered(sent, at_once)
        assert isinstance(reply, Reply), reply
        assert (reply.status, reply.body) == (500, b"x" * 100_000)


@pytest.mark.parametrize("header", ["a\r\nX-Key: b", "a\nb", "a\0"])
def test_a_header_is_never_taken_for_two(header: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        request_head("POST", "/v1/x", {"X-Team": header})
    assert request_head("POST", "/", {"Host": "a", "host": "b"}) == b"POST / HTTP/1.1\r\nhost: b\r\n"


@asynccontextmanager
async def server(*answers: bytes) -> AsyncIterator[tuple[str, list[list[bytes]]]]:
    """A server that answers the calls of each connection in turn, then closes it: its base_url, what came on each."""
    came: list[list[bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here: list[bytes] = []
        came.append(here)
        for answer in answers:
            head = await reader.readuntil(b"\r\n\r\n")
            here.append(head + await reader.readexactly(len(CALL.body)))
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1", came


async def test_a_connection_is_used_again_and_one_that_the_server_ends_is_not(connect: Connect) -> None:
    async with server(whole(BODY), whole(BODY, b"Connection: close")) as (url, came):
        provider = connect(base_url=url)
        for _ in range(3):
            assert (await provider.answer(CALL)).body == BODY
    assert [len(each) for each in came] == [2, 1]
    head = came[0][0].decode()
    assert head.startswith("POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:")
    assert f"Authorization: Bearer {KEY}\r\n" in head
    assert f"Idempotency-Key: {CALL.key}\r\nContent-Length: {len(CALL.body)}\r\n\r\n" in head


async def test_a_connection_that_the_server_ends_between_calls_is_not_used_again() -> None:
    _, connection, _ = await answered(whole(BODY), at_once)
    assert connection.usable
    connection.eof_received()
    assert not connection.usable
    _, connection, wire = await answered(whole(BODY), at_once)
    connection.data_received(b"HTTP/1.1 408 Request Timeout\r\n")  # nobody has asked
    assert not connection.usable
    assert wire.closed


async def test_a_call_that_is_given_up_closes_its_connection(connect: Connect) -> None:
    async with server(b"HTTP/1.1 200", whole(BODY)) as (url, came):
        provider = connect(base_url=url)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await provider.answer(CALL)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await provider.answer(CALL)
    assert [len(each) for each in came] == [1, 1]


async def test_a_broken_answer_is_told_as_one_that_may_be_paid(connect: Connect) -> None:
    async with server(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf") as (url, _):
        with pytest.raises(TransientError, match="before its answer was whole") as raised:
            await connect(base_url=url).answer(CALL)
    assert isinstance(raised.value, ProviderError)
    assert not raised.value.answered
