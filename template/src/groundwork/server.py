"""The HTTP of uvicorn with bounds: `uvicorn --http groundwork.server:Protocol`."""

from asyncio import BaseTransport, TimerHandle, Transport
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from groundwork.sockets import Looks, Socket, peer

__all__ = ["Protocol"]

# Bytes and fields of a request's head. Fields cost more memory than their bytes.
MOST_BYTES = 32_768
MOST_FIELDS = 100
# Requests that a client may send before it has the answer to the first.
MOST_AHEAD = 16
# Seconds that a connection waits for the head of a request, or for the rest of a body that nobody reads any more.
PATIENCE = 10.0
REFUSAL = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class HeadTooLarge(Exception):
    """It has too many bytes or fields, or there are too many of them."""


class Protocol(Looks, HttpToolsProtocol):
    """Ends connections whose requests have large heads, come too slowly, or never come.

    httptools alone keeps all that a client sends as a head, and waits for its end for ever.
    """

    timer: TimerHandle | None = None
    # Of this head; and of what came since anything was understood, which httptools keeps.
    size = fields = kept = 0
    refused = upgraded = False

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(cast("Transport", transport))
        self.client = peer(transport, self.client)
        self._expect()
        self.look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_expecting()
        self.look_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.kept += len(data)
        super().data_received(data)
        if self.upgraded or self.transport.is_closing():
            self._stop_expecting()
        elif self.kept > MOST_BYTES:
            self.refused = True
            self.send_400_response("")
        elif self.cycle is None or self.cycle.response_complete:
            self._expect()

    def send_400_response(self, msg: str) -> None:
        if not self.refused:
            super().send_400_response(msg)
            return
        self.logger.warning("Request refused: its head is too large.")
        # In the middle of another answer it would be a part of that.
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(REFUSAL)
        self.transport.close()

    def handle_websocket_upgrade(self) -> None:
        self.upgraded = True
        self.look_no_more()
        if self.ws_protocol_class is WebSocketsSansIOProtocol:
            self.ws_protocol_class = Socket
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.size = self.fields = self.kept = 0
        if len(self.pipeline) >= MOST_AHEAD:
            self._refuse()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self.size += len(url)
        if self.size > MOST_BYTES:
            self._refuse()

    def on_header(self, name: bytes, value: bytes) -> None:
        # Of trailers too, which come after the body.
        self.size += len(name) + len(value)
        self.fields += 1
        if self.size > MOST_BYTES or self.fields > MOST_FIELDS:
            self._refuse()
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self.kept = 0
        self._stop_expecting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.kept = 0
        super().on_body(body)

    def _refuse(self) -> None:
        self.refused = True
        # Ends the parsing, with `send_400_response`.
        raise HeadTooLarge

    def _expect(self) -> None:
        if self.timer is None:
            self.timer = self.loop.call_later(PATIENCE, self._give_up)

    def _stop_expecting(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _give_up(self) -> None:
        self.timer = None
        # And not close(), which waits until the client has taken what was sent.
        self.transport.abort()
