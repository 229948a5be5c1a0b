"""A vhost of our own on the RabbitMQ at its standard port."""

import os
import shutil
import subprocess
from contextlib import suppress

import httpx2
from kombu import Connection

from missing import Missing
from run_folder import RunFolder

MANAGEMENT = "http://guest:guest@127.0.0.1:15672/api"


def local_vhost(run: RunFolder) -> str:
    """A new vhost, made by the management API or by rabbitmqctl."""
    url = "amqp://guest:guest@127.0.0.1:5672/"
    try:
        with Connection(f"{url}/", connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
    except Exception as error:
        raise Missing(f"none at 127.0.0.1:5672 for guest ({error})") from error
    vhost = f"{run.path.name}-{os.getpid()}"
    for by in ("management", "rabbitmqctl"):
        run.note("vhost", by=by, vhost=vhost)
        try:
            _MAKE[by](vhost)
            # rabbitmqctl may have spoken to another server than the one on the port.
            with Connection(f"{url}{vhost}", connect_timeout=3) as connection:
                connection.ensure_connection(max_retries=1, timeout=3)
        except Exception:
            continue
        return f"{url}{vhost}"
    raise Missing("the one at 127.0.0.1:5672 lets us make no vhost, neither by its management API nor by rabbitmqctl")


def delete_vhost(by: str, vhost: str) -> None:
    if by == "management":
        # Where it does not answer, it has made nothing.
        with suppress(httpx2.ConnectError):
            httpx2.delete(f"{MANAGEMENT}/vhosts/{vhost}")
    else:
        _rabbitmqctl("delete_vhost", vhost)


def _by_management(vhost: str) -> None:
    httpx2.put(f"{MANAGEMENT}/vhosts/{vhost}").raise_for_status()
    rights = {"configure": ".*", "write": ".*", "read": ".*"}
    httpx2.put(f"{MANAGEMENT}/permissions/{vhost}/guest", json=rights).raise_for_status()


def _by_rabbitmqctl(vhost: str) -> None:
    _rabbitmqctl("add_vhost", vhost)
    _rabbitmqctl("set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")


def _rabbitmqctl(*words: str) -> None:
    program = shutil.which("rabbitmqctl")
    if program is None:
        raise Missing("rabbitmqctl is not installed")
    subprocess.run([program, "--quiet", *words], check=True, capture_output=True, timeout=30)


_MAKE = {"management": _by_management, "rabbitmqctl": _by_rabbitmqctl}
