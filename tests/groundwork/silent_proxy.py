"""A proxy in front of PostgreSQL that can fall silent: its connections stay open, and nothing passes any more."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

from sqlalchemy.engine import make_url

__all__ = ["Proxy", "proxied"]


class Proxy:
    """Forwards what both sides send, each connection in threads of its own; `url` is the database's, by way of it."""

    def __init__(self, url: str) -> None:
        self._server = make_url(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self._silent: set[socket.socket] = set()
        there = self._server.set(host="127.0.0.1", port=self._listener.getsockname()[1], query={})
        self.url = there.render_as_string(hide_password=False)
        Thread(target=self._accept, daemon=True).start()

    def fall_silent(self) -> None:
        """On all connections that are open now; others can be opened."""
        self._silent.update(self._sockets[1:])

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = self._connect()
                self._sockets += [client, server]
                for source, sink in ((client, server), (server, client)):
                    Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _connect(self) -> socket.socket:
        host, port = self._server.host or self._server.query.get("host"), self._server.port or 5432
        assert isinstance(host, str)
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source not in self._silent:
                    sink.sendall(data)
            if source not in self._silent:
                sink.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextmanager
def proxied(url: str) -> Iterator[Proxy]:
    proxy = Proxy(url)
    try:
        yield proxy
    finally:
        proxy.close()
