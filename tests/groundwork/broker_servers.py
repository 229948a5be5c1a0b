"""Servers of one test, on ports of their own: Redis as people set it up, and what pretends to be a broker with TLS."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import randrange
from threading import Thread

from groundwork.testing import until

__all__ = ["Authority", "Listener", "free_port", "listening", "redis_server"]

# Python asks that a certificate says what it is for.
OPENSSL = """
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:false
subjectAltName = ${ENV::NAMES}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True)
class Authority:
    """Makes certificates that nobody trusts who does not know it."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir()
        (self.folder / "openssl.cnf").write_text(OPENSSL)
        self._make("ca", "DNS:ca")

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    def server(self, *names: str) -> tuple[Path, Path]:
        """The certificate of a server with these names, IP:127.0.0.1 or DNS:localhost, and its key."""
        file = "-".join(names).replace(":", "-")
        self._make(file, ",".join(names), "-CA", "ca.pem", "-CAkey", "ca.key")
        return self.folder / f"{file}.pem", self.folder / f"{file}.key"

    def _make(self, file: str, names: str, *signed: str) -> None:
        words = "openssl req -config openssl.cnf -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 2"
        words += f" -subj /CN={file} -extensions {'server' if signed else 'ca'} -keyout {file}.key -out {file}.pem"
        environment = {"NAMES": names, "PATH": "/usr/bin:/usr/local/bin:/opt/homebrew/bin"}
        subprocess.run([*words.split(), *signed], cwd=self.folder, env=environment, check=True, capture_output=True)


@dataclass
class Listener:
    """Accepts connections with TLS, keeps what clients say first, and answers nothing."""

    port: int
    said: list[bytes] = field(default_factory=list)
    # Of clients that did not believe it.
    refused: list[str] = field(default_factory=list)


@contextmanager
def listening(certificate: tuple[Path, Path], postgres: bool = False) -> Iterator[Listener]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with socket.create_server(("127.0.0.1", 0)) as server:
        listener = Listener(server.getsockname()[1])

        def accept() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                try:
                    if postgres and client.recv(8):
                        # The answer to "do you speak TLS?".
                        client.sendall(b"S")
                    with context.wrap_socket(client, server_side=True) as encrypted:
                        if said := encrypted.recv(1000):
                            listener.said.append(said)
                except OSError as error:
                    listener.refused.append(str(error))

        thread = Thread(target=accept)
        thread.start()
        try:
            yield listener
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()
            thread.join()


def free_port() -> int:
    """Below those that a system gives to connections; a cluster needs the one 10,000 above, too."""
    while True:
        port = randrange(20_000, 32_768)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def redis_server(folder: Path, *options: str, sentinel: bool = False) -> Iterator[int]:
    """The port of a Redis with these options, which are lines of its configuration."""
    port = free_port()
    configuration = folder / f"redis-{port}.conf"
    listen = [] if any(option.startswith("tls-port") for option in options) else [f"port {port}"]
    lines = ["bind 127.0.0.1", f"dir {folder}", *listen, *options]
    configuration.write_text("\n".join(lines).replace("{port}", str(port)) + "\n")
    words = ["redis-server", str(configuration), *(["--sentinel"] if sentinel else ["--save", ""])]
    with (folder / f"redis-{port}.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        until(lambda: process.poll() is not None or _answers(port))
        assert process.poll() is None, (folder / f"redis-{port}.log").read_text()
        yield port
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
