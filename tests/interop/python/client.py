"""The `rsocket` package. Usage: echo CELL | python client.py URL

URL is tcp://HOST:PORT or ws://HOST:PORT/rsocket.
What the cells mean is in ../README.md.
"""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from urllib.parse import urlsplit

from reactivestreams.publisher import DefaultPublisher
from reactivestreams.subscriber import DefaultSubscriber
from reactivestreams.subscription import DefaultSubscription
from rsocket.extensions.helpers import composite, metadata_item, route
from rsocket.extensions.mimetypes import WellKnownMimeTypes as Mime
from rsocket.helpers import single_transport_provider
from rsocket.payload import Payload
from rsocket.request_handler import BaseRequestHandler
from rsocket.rsocket_client import RSocketClient
from rsocket.transports.aiohttp_websocket import websocket_client
from rsocket.transports.tcp import TransportTCP

RAW = Mime.APPLICATION_OCTET_STREAM
LARGE = bytes((i * 31 + (i >> 8)) & 0xFF for i in range(3_000_000))
FRAGMENT = 16_000
QUIET = 1.0
IDLE = int(os.environ.get("INTEROP_IDLE_MS", 6_000)) / 1000


class Events(BaseRequestHandler):
    """What the connection tells its application."""

    def __init__(self):
        self.silence = None
        self.closed = False

    async def on_keepalive_timeout(self, time_since_last_keepalive, rsocket):
        self.silence = time_since_last_keepalive

    async def on_close(self, rsocket, exception=None):
        self.closed = True


@asynccontextmanager
async def connect(url, metadata_encoding=Mime.MESSAGE_RSOCKET_COMPOSITE_METADATA,
                  data_encoding=RAW, keep_alive=10.0, lifetime=60.0, **more):
    events = Events()
    options = dict(more, handler_factory=lambda: events, metadata_encoding=metadata_encoding,
                   data_encoding=data_encoding, keep_alive_period=timedelta(seconds=keep_alive),
                   max_lifetime_period=timedelta(seconds=lifetime))
    if url.scheme == "ws":
        client = websocket_client(url.geturl(), **options)
    else:
        streams = await asyncio.open_connection(url.hostname, url.port)
        client = RSocketClient(single_transport_provider(TransportTCP(*streams)), **options)
    async with client as socket:
        socket.events = events
        yield socket


class Inbound(DefaultSubscriber):
    """Gathers what a stream brings and lets a cell wait for it."""

    def __init__(self):
        super().__init__()
        self.items = []
        self.ended = False
        self.error = None
        self.changed = asyncio.Event()

    def on_next(self, value, is_complete=False):
        self.items.append(value)
        self.ended |= is_complete
        self.changed.set()

    def on_complete(self):
        self.ended = True
        self.changed.set()

    def on_error(self, exception):
        self.ended, self.error = True, exception
        self.changed.set()

    async def until(self, condition):
        while not condition(self):
            if self.ended:
                raise self.error or AssertionError(f"ended after {len(self.items)} items")
            self.changed.clear()
            await self.changed.wait()

    async def have(self, count):
        await self.until(lambda it: len(it.items) >= count)

    async def completion(self):
        await self.until(lambda it: it.ended and not it.error)


class Outbound(DefaultPublisher, DefaultSubscription):
    """A channel's items after the first: given as credit allows, kept back until `release`."""

    def __init__(self, *texts, held=False):
        self.queue = [Payload(text) for text in texts]
        self.granted = 0
        self.held = held
        self.sent = asyncio.Event()
        self.cancelled = asyncio.Event()

    def subscribe(self, subscriber):
        self.subscriber = subscriber
        subscriber.on_subscribe(self)

    def request(self, n):
        self.granted += n
        self.pump()

    def cancel(self):
        self.cancelled.set()

    def release(self):
        self.held = False
        self.pump()

    def pump(self):
        while self.queue and self.granted and not self.held:
            self.granted -= 1
            self.subscriber.on_next(self.queue.pop(0), is_complete=not self.queue)
            if not self.queue:
                self.sent.set()


def to(name, data=b""):
    return Payload(data, composite(route(name)))


async def works(socket):
    reply = await socket.request_response(to("debug.echo", b"still here"))
    assert reply.data == b"still here", reply


def stream(socket, payload, n):
    inbound = Inbound()
    requester = socket.request_stream(payload).initial_request_n(n)
    requester.subscribe(inbound)
    return requester, inbound


def channel(socket, payload, outbound, n):
    inbound = Inbound()
    requester = socket.request_channel(payload, outbound).initial_request_n(n)
    requester.subscribe(inbound)
    return requester, inbound


async def request_response(url):
    async with connect(url) as socket:
        request = to("debug.echo", b"tide")
        assert await socket.request_response(request) == request


async def finite_stream(url):
    async with connect(url, data_encoding=Mime.APPLICATION_JSON) as socket:
        _, inbound = stream(socket, to("debug.count", b'{"from":3,"limit":10}'), 100)
        await inbound.completion()
        assert [json.loads(item.data)["seq"] for item in inbound.items] == list(range(3, 13))


async def echo_channel(url):
    async with connect(url) as socket:
        outbound = Outbound(b"b", b"c", b"d", b"e")
        requester, inbound = channel(socket, to("debug.echo", b"a"), outbound, 2)
        await inbound.have(2)
        requester.request(100)
        await inbound.completion()
        assert [item.data for item in inbound.items] == [b"a", b"b", b"c", b"d", b"e"]


async def responder_ends_first(url):
    async with connect(url) as socket:
        outbound = Outbound(b"b", b"c", b"d", b"e", held=True)
        _, inbound = channel(socket, to("debug.first", b"a"), outbound, 100)
        await inbound.completion()
        assert len(inbound.items) == 1
        outbound.release()
        await outbound.sent.wait()


async def responder_cancels(url):
    async with connect(url) as socket:
        outbound = Outbound(b"b", b"c", held=True)
        _, inbound = channel(socket, to("debug.drop", b"a"), outbound, 100)
        await inbound.completion()
        assert len(inbound.items) == 3
        await outbound.cancelled.wait()


async def fire_and_forget(url):
    async with connect(url) as socket:
        async def count():
            return int((await socket.request_response(to("debug.sink.count"))).data)

        before = now = await count()
        for _ in range(20):
            await socket.fire_and_forget(to("debug.sink", b"x"))
        for _ in range(50):
            now = await count()
            if now >= before + 20:
                break
            await asyncio.sleep(0.02)
        assert now - before == 20, now - before


async def metadata_push(url):
    async with connect(url) as socket:
        await socket.metadata_push(composite(metadata_item(b"news", Mime.TEXT_PLAIN)))
        await works(socket)


async def credit(url):
    async with connect(url, data_encoding=Mime.APPLICATION_JSON) as socket:
        requester, inbound = stream(socket, to("debug.count", b"{}"), 5)
        await inbound.have(5)
        await asyncio.sleep(QUIET)
        assert len(inbound.items) == 5, f"{len(inbound.items)} items, five were asked for"
        requester.request(3)
        await inbound.have(8)
        await asyncio.sleep(QUIET)
        assert len(inbound.items) == 8, f"{len(inbound.items)} items, eight were asked for"
        requester.cancel()


async def cancel(url):
    async with connect(url, data_encoding=Mime.APPLICATION_JSON) as socket:
        requester, inbound = stream(socket, to("debug.count", b'{"every_ms":5}'), 1_000_000)
        await inbound.have(5)
        requester.cancel()
        seen = len(inbound.items)
        await asyncio.sleep(QUIET)
        assert len(inbound.items) == seen
        await works(socket)


async def error(url):
    async with connect(url) as socket:
        try:
            await socket.request_response(to("no.such.route"))
        except Exception as failure:
            assert getattr(failure, "error_code", None) == 0x204, failure
        else:
            raise AssertionError("an unknown route was answered")
        await works(socket)


async def large_out(url):
    async with connect(url, fragment_size_bytes=FRAGMENT) as socket:
        reply = await socket.request_response(to("debug.echo", LARGE))
        assert reply.data == LARGE, "other bytes came back"
    return "in fragments"


async def large_in(url):
    async with connect(url) as socket:
        reply = await socket.request_response(to("debug.echo", LARGE))
        assert reply.data == LARGE, "other bytes came back"
    return "in fragments"


async def composite_metadata(url):
    async with connect(url) as socket:
        metadata = composite(metadata_item(b"custom type", b"application/vnd.tidegate.first"),
                             metadata_item(b"well-known type", Mime.TEXT_PLAIN),
                             route("debug.echo"))
        reply = await socket.request_response(Payload(b"x", metadata))
        assert reply.metadata == metadata, reply.metadata


async def routing(url):
    async with connect(url, metadata_encoding=Mime.MESSAGE_RSOCKET_ROUTING) as socket:
        request = Payload(b"plain", route("debug.echo").serialize())
        assert await socket.request_response(request) == request


async def keepalive(url):
    async with connect(url, keep_alive=0.5, lifetime=2.0) as socket:
        await asyncio.sleep(IDLE)
        assert not socket.events.closed, "closed while idle"
        assert socket.events.silence is None, f"no keepalive for {socket.events.silence}"
        await works(socket)


CELLS = {
    "request-response": request_response,
    "stream": finite_stream,
    "channel": echo_channel,
    "responder-ends-first": responder_ends_first,
    "responder-cancels": responder_cancels,
    "fire-and-forget": fire_and_forget,
    "metadata-push": metadata_push,
    "credit": credit,
    "cancel": cancel,
    "error": error,
    "large-out": large_out,
    "large-in": large_in,
    "composite": composite_metadata,
    "routing": routing,
    "keepalive": keepalive,
}


def main():
    url = urlsplit(sys.argv[1])
    for name in map(str.strip, sys.stdin):
        line = {"client": "rsocket-py", "version": version("rsocket"),
                "transport": url.scheme, "cell": name}
        try:
            note = asyncio.run(CELLS[name](url))
            line.update(result="pass", detail=note or "")
        except Exception as failure:
            line.update(result="fail", detail=str(failure) or repr(failure))
        print(json.dumps(line), flush=True)


main()
