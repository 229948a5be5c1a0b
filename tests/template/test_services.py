"""The ladder of services holds on each rung, says what is missing, and leaves nothing behind."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import urlsplit

import httpx2
import psutil
import psycopg
import pytest
import redis
from conftest import present_or_skipped

import private_servers
import rabbitmq
import services
from missing import Missing
from run_folder import RunFolder, sweep
from services import CLEANERS, MARK, SERVICES, claim_redis, climb, namespace, url_of

pytestmark = pytest.mark.slow


@pytest.fixture
def own_run() -> Iterator[RunFolder]:
    """A run of its own, which this test ends."""
    folder = Path(mkdtemp(prefix="services-"))
    folder.chmod(0o755)
    yield RunFolder(folder)
    shutil.rmtree(folder, ignore_errors=True)


def processes(run: RunFolder) -> list[psutil.Process]:
    noted = [json.loads(line) for line in (run.path / "notes").read_text().splitlines()]
    return [psutil.Process(what["pid"]) for what in noted if what["kind"] == "process"]


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("postgresql", private_servers.postgresql),
        ("postgresql", private_servers.postgresql_from_wheel),
        ("redis", private_servers.redis),
        ("rabbitmq", private_servers.rabbitmq),
    ],
    ids=["postgresql", "postgresql from its wheel", "redis", "rabbitmq"],
)
def test_a_private_server_answers_and_goes_with_its_run(
    own_run: RunFolder, name: str, start: Callable[[RunFolder], str]
) -> None:
    with present_or_skipped():
        url = start(own_run)
    SERVICES[name].check(url)
    [server] = processes(own_run)
    assert start(own_run) == url, "the processes of a run share it"

    own_run.remove(CLEANERS)

    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    assert not own_run.path.exists()


KILLED = """
import sys
from urllib.parse import urlsplit
import psycopg, private_servers, services
from run_folder import RunFolder
run = RunFolder.make()
server = services.url_of(run, "postgresql")
with (
    services.made_database(run) as url,
    services.namespace(run, "redis") as redis_url,
    services.namespace(run, "rabbitmq") as rabbitmq_url,
):
    print(run.path, url, redis_url, rabbitmq_url, flush=True)
    private_servers.redis(run)
    print("made", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_run_made_is_taken_away_by_the_next(run_folder: RunFolder) -> None:
    with present_or_skipped():
        for name in SERVICES:
            url_of(run_folder, name)
    environment = os.environ | {"PYTHONPATH": str(Path(services.__file__).parent)}
    words = [sys.executable, "-c", KILLED]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        folder, database_url, redis_url, rabbitmq_url = process.stdout.readline().split()
        assert process.stdout.readline() == "made\n"
        with redis.Redis.from_url(redis_url) as client:
            client.set("left", "behind")
        servers = processes(RunFolder(Path(folder)))
        process.send_signal(signal.SIGKILL)

    assert Path(folder) in sweep(CLEANERS)

    assert not Path(folder).exists()
    assert servers
    assert not any(server.is_running() for server in servers)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(database_url)
    with pytest.raises(Exception, match=r"not found|refused"):
        SERVICES["rabbitmq"].check(rabbitmq_url)
    # The server that holds it is gone, or it is empty.
    with redis.Redis.from_url(redis_url) as client, suppress(redis.ConnectionError):
        assert client.dbsize() == 0


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_each_suite_has_a_namespace_of_its_own(run_folder: RunFolder, broker: str) -> None:
    with present_or_skipped():
        server = url_of(run_folder, broker)
    with namespace(run_folder, broker) as ours, namespace(run_folder, broker) as other:
        SERVICES[broker].check(ours)
        SERVICES[broker].check(other)

    # A server that was given, or that is private, is used as it is.
    assert ours != other or ours == server


def test_vhosts_are_made_and_deleted_by_the_management_api_where_it_answers(
    own_run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with present_or_skipped():
        server = private_servers.rabbitmq_server(own_run)
    port = private_servers.free_port()
    (server.folder / "plugins").write_text("[rabbitmq_management].")
    with (server.folder / "rabbitmq.conf").open("a") as settings:
        settings.write(f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {port}\n")
    management = f"http://guest:guest@127.0.0.1:{port}/api"
    monkeypatch.setattr(rabbitmq, "SERVER", server.url.removesuffix("/"))
    monkeypatch.setattr(rabbitmq, "MANAGEMENT", management)
    # Nor could rabbitmqctl.
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    answers = partial(socket.create_connection, ("127.0.0.1", port))
    replace(server, answers=lambda: answers().close()).start(own_run)

    def vhosts() -> set[str]:
        return {vhost["name"] for vhost in httpx2.get(f"{management}/vhosts").json()}

    SERVICES["rabbitmq"].check(url := rabbitmq.claim(own_run))
    assert urlsplit(url).path[1:] in vhosts()
    rabbitmq.delete_vhosts("management", own_run.path.name)

    assert vhosts() == {"/"}
    own_run.remove(CLEANERS)


def test_a_redis_database_with_data_is_never_taken(run_folder: RunFolder, own_run: RunFolder) -> None:
    with present_or_skipped():
        url = claim_redis(run_folder)
    with redis.Redis.from_url(url) as client:
        # Without our mark it is somebody else's.
        client.rename(MARK, "data")

        assert claim_redis(own_run) != url
        own_run.remove(CLEANERS)
        kept = client.delete("data")

    assert kept == 1


def test_a_given_address_that_does_not_answer_is_named(run_folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, url in {
        "TEST_DATABASE_URL": "postgresql://127.0.0.1:1/postgres",
        "TEST_REDIS_URL": "redis://127.0.0.1:1/0",
        "TEST_RABBITMQ_URL": "amqp://127.0.0.1:1//",
    }.items():
        monkeypatch.setenv(variable, url)
        [name] = [service.name for service in SERVICES.values() if service.variable == variable]

        found = climb.__wrapped__(run_folder, name)

        assert isinstance(found, Missing)
        assert str(found).startswith(f"no {name} answers at {variable}={url} (")


def test_where_no_rung_holds_every_reason_is_given(own_run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    monkeypatch.delenv("TEST_REDIS_URL", raising=False)
    monkeypatch.setitem(SERVICES, "redis", replace(SERVICES["redis"], rungs=SERVICES["redis"].rungs[1:]))

    found = climb.__wrapped__(own_run, "redis")

    assert str(found) == (
        "no redis: redis-server is not installed; no Docker engine answers. "
        "Start one on its standard port, or set TEST_REDIS_URL"
    )
