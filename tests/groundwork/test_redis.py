"""What `app doctor` finds on a Redis of another kind, and URLs of Redis that work. Only where Redis is the broker."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from broker_servers import Authority, redis_server
from kombu.exceptions import OperationalError
from support import UseBroker, run

from app.worker import celery
from groundwork.testing import until


def redis_cli(port: int, *words: str) -> str:
    done = subprocess.run(["redis-cli", "-p", str(port), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with redis_server(tmp_path) as port:
        yield port


def broker_line() -> str:
    return next(line for line in run("doctor")[1].splitlines() if "  broker " in line)


def remedy() -> list[str]:
    return broker_line().partition("  ->  ACL SETUSER <user> ")[2].split()


def test_the_rights_that_the_doctor_names_are_enough(port: int, use_broker: UseBroker) -> None:
    redis_cli(port, "ACL", "SETUSER", "ada", "on", ">word", "+@connection")
    use_broker(f"redis://ada:word@127.0.0.1:{port}/0")

    redis_cli(port, "ACL", "SETUSER", "ada", *remedy())

    assert broker_line() == f"ok  broker     redis://ada@127.0.0.1:{port}/0 answers"


@pytest.mark.parametrize(
    ("lacks", "says"),
    [
        (["-evalsha"], "(EVALSHA: "),
        (["-brpop", "-zadd"], "(BRPOP: "),
        (["resetkeys", "~test-*"], "(WATCH: "),
        (["resetchannels"], "(PUBLISH: "),
        (["-sadd"], "(SADD: "),
        (["-multi"], "(MULTI: "),
    ],
)
def test_a_right_that_a_user_lacks_is_found(port: int, use_broker: UseBroker, lacks: list[str], says: str) -> None:
    redis_cli(port, "ACL", "SETUSER", "ada", "on", ">word", "~*", "&*", "+@all", *lacks)
    use_broker(f"redis://ada:word@127.0.0.1:{port}/0")

    line = broker_line()

    assert line.startswith("!!")
    assert f"does not let its user do all that workers and relays do {says}" in line


def test_a_redis_that_is_full_is_found(port: int, use_broker: UseBroker) -> None:
    redis_cli(port, "CONFIG", "SET", "maxmemory", "1")
    use_broker(f"redis://127.0.0.1:{port}/0")

    assert "is full, and takes no messages  ->  raise its maxmemory" in broker_line()


def test_a_replica_is_found(port: int, use_broker: UseBroker, tmp_path: Path) -> None:
    with redis_server(tmp_path, f"replicaof 127.0.0.1 {port}") as replica:
        use_broker(f"redis://127.0.0.1:{replica}/0")

        assert "is a replica, and takes no messages  ->  name the primary" in broker_line()


@pytest.mark.parametrize("slots", [[], ["ADDSLOTSRANGE", "0", "16383"]])
def test_a_cluster_is_found(use_broker: UseBroker, tmp_path: Path, slots: list[str]) -> None:
    with redis_server(tmp_path, "cluster-enabled yes", "cluster-config-file nodes-{port}.conf") as port:
        if slots:
            redis_cli(port, "CLUSTER", *slots)
        use_broker(f"redis://127.0.0.1:{port}/0")

        assert "is a Redis Cluster, which Celery cannot use  ->  name a single server" in broker_line()


def test_something_else_under_the_name_of_a_queue_is_found(port: int, use_broker: UseBroker) -> None:
    name = next(iter(celery.amqp.queues.consume_from))
    redis_cli(port, "SET", name, "of somebody else")
    use_broker(f"redis://127.0.0.1:{port}/0")

    assert f"has something else under the name of the queue {name} (" in broker_line()
    assert redis_cli(port, "GET", name) == "of somebody else"


def test_the_doctor_changes_nothing(port: int, use_broker: UseBroker) -> None:
    name = next(iter(celery.amqp.queues.consume_from))
    redis_cli(port, "LPUSH", name, "a message")
    use_broker(f"redis://127.0.0.1:{port}/0")

    assert broker_line().startswith("ok")
    assert redis_cli(port, "LRANGE", name, "0", "-1") == "a message"
    assert {key for key in redis_cli(port, "KEYS", "*").split() if not key.startswith("_kombu.binding")} == {name}


def test_its_own_authority_is_named_in_the_url(use_broker: UseBroker, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.server("IP:127.0.0.1")
    tls = [f"tls-cert-file {certificate}", f"tls-key-file {key}", f"tls-ca-cert-file {authority.certificate}"]
    with redis_server(tmp_path, "port 0", "tls-port {port}", "tls-auth-clients no", *tls) as port:
        use_broker(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={authority.certificate}")
        assert broker_line() == f"ok  broker     rediss://127.0.0.1:{port}/0 answers"

        use_broker(f"rediss://127.0.0.1:{port}/0")
        assert "has a certificate that is not trusted: self-signed certificate in" in broker_line()

        use_broker(f"rediss://127.0.0.1:{port}/0?ssl_cert_reqs=none")
        assert broker_line().endswith("answers; its certificate is not verified")


def test_sentinel_names_the_server_also_after_a_failover(port: int, use_broker: UseBroker, tmp_path: Path) -> None:
    watch = [f"sentinel monitor ours 127.0.0.1 {port} 1", "sentinel down-after-milliseconds ours 60000"]
    secured = ["requirepass hidden", "sentinel failover-timeout ours 10000"]
    with (
        redis_server(tmp_path, f"replicaof 127.0.0.1 {port}") as other,
        redis_server(tmp_path, *watch, *secured, sentinel=True) as sentinel,
    ):
        url = f"sentinel://127.0.0.1:{sentinel}/0?master_name=ours&sentinel_password=hidden"
        use_broker(url)
        asked = f"sentinel://127.0.0.1:{sentinel}/0"
        assert broker_line() == f"ok  broker     {asked} answers"

        with celery.connection_for_write() as connection, connection.SimpleQueue("sent") as queue:
            queue.put("before")
            assert (redis_cli(port, "LLEN", "sent"), redis_cli(other, "ROLE").split()[0]) == ("1", "slave")
            until(lambda: redis_cli(other, "LLEN", "sent") == "1")
            until(lambda: "OK" in redis_cli(sentinel, "--pass", "hidden", "SENTINEL", "FAILOVER", "ours"))
            until(lambda: redis_cli(other, "ROLE").split()[0] == "master")
            redis_cli(port, "SHUTDOWN", "NOSAVE")

            def arrived() -> bool:
                with suppress(OperationalError, *connection.connection_errors):
                    connection.ensure_connection(max_retries=1, interval_start=0)
                    queue.put("after")
                return redis_cli(other, "LLEN", "sent") != "1"

            until(arrived)
        assert broker_line() == f"ok  broker     {asked} answers"

        use_broker(url.replace("ours", "theirs"))
        assert "does not answer: No master found for 'theirs'  ->  start it, or correct BROKER_URL" in broker_line()

        use_broker(f"redis://:hidden@127.0.0.1:{sentinel}/0")
        assert "is no Redis that Celery can use (unknown command 'WATCH'" in broker_line()
