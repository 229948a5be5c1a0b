"""The image's API comes to its end, whoever holds on to it."""

import json
import os
import re
import socket
from pathlib import Path

import pytest
from conftest import Generate, present_or_skipped

from launching import await_api, install, launch
from private_servers import free_port
from run_folder import RunFolder
from services import made_database

pytestmark = pytest.mark.slow

# Ten times more than a megabyte, which is more than lies between two programs of one machine.
LARGE = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 10


def test_a_client_that_takes_nothing_does_not_keep_the_api_from_ending(
    generate: Generate, run_folder: RunFolder, workplace: Path
) -> None:
    project, python = install(generate())
    port = str(free_port())
    [command] = re.findall(r"^CMD (.*)$", (project / "Dockerfile").read_text(), re.MULTILINE)
    words = [word.replace("0.0.0.0", "127.0.0.1") for word in json.loads(command)]
    with present_or_skipped(), made_database(run_folder) as database_url, socket.socket() as client:
        variables = {
            "PORT": port,
            "PATH": f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}",
            "ENVIRONMENT": "development",
            "DATABASE_URL": database_url,
            "BROKER_URL": "memory://",
            "SECRET_KEY": "x" * 32,
        }
        api = launch(run_folder, workplace / "log", project, tuple(words), variables)
        await_api(f"http://127.0.0.1:{port}")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", int(port)))
        client.sendall(LARGE)
        assert client.recv(12) == b"HTTP/1.1 200"

        api.terminate()

        # Without the limit in its command it would wait for ever; compose.yaml gives it more than that: test_rules.py.
        api.wait(60)
