"""Vhosts of our own on the RabbitMQ at its standard port, one for each suite that runs."""

import shutil
import subprocess
from contextlib import suppress
from urllib.parse import quote

import httpx2
from kombu import Connection

from missing import Missing
from run_folder import RunFolder, locked

SERVER = "amqp://guest:guest@127.0.0.1:5672/"
MANAGEMENT = "http://guest:guest@127.0.0.1:15672/api"
# One start of rabbitmqctl costs more than several of them. Used again and again: each keeps some thirty files open, and
# a server that has no more to open hangs.
BATCH = 4


def local(run: RunFolder) -> str:
    """The server, once it has let us make vhosts."""
    try:
        _connect("/")
    except Exception as error:
        raise Missing(f"none at 127.0.0.1:5672 for guest ({error})") from error
    give_back(run, claim(run))
    return f"{SERVER}/"


def claim(run: RunFolder) -> str:
    """The URL of a vhost that no suite uses, made beforehand with others; the run takes all away at its end."""
    with locked(run.path / "vhosts.lock"):
        free = _free(run) or _make(run)
        (run.path / "vhosts").write_text("\n".join(free[1:]))
        return SERVER + free[0]


def give_back(run: RunFolder, url: str) -> None:
    with locked(run.path / "vhosts.lock"):
        (run.path / "vhosts").write_text("\n".join([url.removeprefix(SERVER), *_free(run)]))


def delete_vhosts(by: str, prefix: str) -> None:
    """All whose names begin so."""
    if by == "management":
        # Where it does not answer, it has made nothing.
        with suppress(httpx2.ConnectError):
            for each in httpx2.get(f"{MANAGEMENT}/vhosts").raise_for_status().json():
                if each["name"].startswith(prefix):
                    httpx2.delete(f"{MANAGEMENT}/vhosts/{quote(each['name'], safe='')}").raise_for_status()
    else:
        _evaluate(
            f'[rabbit_vhost:delete(V, <<"tests">>) || V <- rabbit_vhost:list_names(), '
            f'string:prefix(V, "{prefix}") =/= nomatch].'
        )


def _free(run: RunFolder) -> list[str]:
    file = run.path / "vhosts"
    return file.read_text().split() if file.exists() else []


def _make(run: RunFolder) -> list[str]:
    prefix = f"{run.path.name}-"
    made = run.path / "vhosts-made"
    count = int(made.read_text()) if made.exists() else 0
    names = [f"{prefix}{number}" for number in range(count, count + BATCH)]
    for by in ("management", "rabbitmqctl"):
        run.note("vhosts", by=by, prefix=prefix)
        try:
            _MAKE[by](names)
            # rabbitmqctl may have spoken to another server than the one on the port.
            _connect(names[-1])
        except Exception:
            continue
        made.write_text(str(count + BATCH))
        return names
    raise Missing("the one at 127.0.0.1:5672 lets us make no vhost, neither by its management API nor by rabbitmqctl")


def _connect(name: str) -> None:
    with Connection(SERVER + name, connect_timeout=3) as connection:
        connection.ensure_connection(max_retries=1, timeout=3)


def _by_management(names: list[str]) -> None:
    rights = {"configure": ".*", "write": ".*", "read": ".*"}
    with httpx2.Client(base_url=MANAGEMENT) as client:
        for name in names:
            client.put(f"/vhosts/{name}").raise_for_status()
            client.put(f"/permissions/{name}/guest", json=rights).raise_for_status()


def _by_rabbitmqctl(names: list[str]) -> None:
    listed = ", ".join(f'<<"{name}">>' for name in names)
    rights = ", ".join(['<<".*">>'] * 3)
    _evaluate(
        f'[begin rabbit_vhost:add(V, <<"tests">>), '
        f'rabbit_auth_backend_internal:set_permissions(<<"guest">>, V, {rights}, <<"tests">>) end || V <- [{listed}]].'
    )


def _evaluate(expression: str) -> None:
    program = shutil.which("rabbitmqctl")
    if program is None:
        raise Missing("rabbitmqctl is not installed")
    # `add_vhost` and its like take one name each, and each a second to start.
    subprocess.run([program, "--quiet", "eval", expression], check=True, capture_output=True, timeout=30)


_MAKE = {"management": _by_management, "rabbitmqctl": _by_rabbitmqctl}
