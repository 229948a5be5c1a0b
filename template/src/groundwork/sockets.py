"""Bounds for clients that take nothing of what the server sends, or say too much on a socket; and who they are."""

from asyncio import AbstractEventLoop, BaseTransport, Protocol, TimerHandle, Transport
from ipaddress import ip_address
from math import inf
from socket import AF_UNIX
from typing import cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

__all__ = ["Looks", "Socket", "peer"]

# Seconds between two looks whether a client takes anything of what waits for it.
LOOK = 20.0
# What the client of a socket may say at once, in the greatest messages of `--ws-max-size`; each second one comes back.
MOST_SAID = 16
# Parts of one message. Those without a byte count for no other bound.
MOST_PARTS = 100


def peer(transport: BaseTransport, client: tuple[str, int] | None) -> tuple[str, int] | None:
    """The client of a connection, as FORWARDED_ALLOW_IPS may name it.

    That of a unix socket has no address: it is a program of this machine, as one that comes from 127.0.0.1.
    """
    if client is None:
        opened = transport.get_extra_info("socket")
        return ("127.0.0.1", 0) if opened is not None and opened.family == AF_UNIX else None
    try:
        # A server that listens on both names an IPv4 client ::ffff:192.0.2.1.
        mapped = getattr(ip_address(client[0]), "ipv4_mapped", None)
    except ValueError:
        return client
    return (str(mapped), client[1]) if mapped else client


class Looks(Protocol):
    """Ends a connection whose client takes nothing of what was sent: closing it waits for that for ever."""

    transport: Transport
    loop: AbstractEventLoop
    looking: TimerHandle | None = None
    full = False
    # At the last look.
    unsent: float = inf

    def look_later(self) -> None:
        self.looking = self.loop.call_later(LOOK, self._look)

    def look_no_more(self) -> None:
        if self.looking is not None:
            self.looking.cancel()
            self.looking = None

    def _look(self) -> None:
        # Nothing is added to what waits meanwhile: less of it means that the client takes something.
        waits = self.transport.is_closing() or self.full
        unsent = self.transport.get_write_buffer_size() if waits else inf
        if 0 < unsent < inf and unsent >= self.unsent:
            self.transport.abort()
            return
        self.unsent = unsent
        self.look_later()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.full = True

    def resume_writing(self) -> None:
        super().resume_writing()
        self.full, self.unsent = False, inf


class Socket(Looks, WebSocketsSansIOProtocol):
    """Ends sockets whose clients say too much: a megabyte of empty frames keeps all others waiting for seconds."""

    said = heard_at = 0.0

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(cast("Transport", transport))
        self.client = peer(transport, self.client)
        self.look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        self.look_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # The head of the request has been bounded before.
        if self.handshake_initiated:
            now, unit = self.loop.time(), self.config.ws_max_size
            self.said = max(0.0, self.said - (now - self.heard_at) * unit) + len(data)
            self.heard_at = now
            if self.said > MOST_SAID * unit:
                self._refuse("You say too much.")
                return
        super().data_received(data)

    def handle_cont(self, event: Frame) -> None:
        super().handle_cont(event)
        if len(self.frames) > MOST_PARTS:
            self._refuse("Your message has too many parts.")

    def _refuse(self, words: str) -> None:
        if not self.handshake_complete:
            self.transport.abort()
        elif not self.close_sent:
            self.stop_keepalive()
            self.conn.fail(1008, words)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.transport.close()
        else:
            self.transport.close()
