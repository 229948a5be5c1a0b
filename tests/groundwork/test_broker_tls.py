"""A broker without a certificate that is trusted is told nothing: no password, and no message."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from broker_servers import Authority, listening
from kombu import Connection
from support import UseBroker, run

from app.worker import celery
from groundwork.broker import IMPATIENT, SCHEMES
from groundwork.testing import until

SCHEME = "rediss" if "rediss" in SCHEMES else "amqps"
# Those of workers, of relays and control, and of requests.
CONNECTIONS: list[Callable[[], Connection]] = [
    celery.connection_for_read,
    celery.connection_for_write,
    lambda: celery.connection_for_write(transport_options=IMPATIENT),
    lambda: celery.connection_for_read().clone(),
]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def try_each() -> None:
    for make in CONNECTIONS:
        with make() as connection, pytest.raises(Exception, match=r"[Cc]onnect|closed|certificate|EOF"):
            connection.ensure_connection(max_retries=1, interval_start=0)


def test_a_stranger_is_told_nothing(authority: Authority, use_broker: UseBroker) -> None:
    with listening(authority.server("IP:127.0.0.1")) as stranger:
        use_broker(f"{SCHEME}://ada:hidden@127.0.0.1:{stranger.port}/")

        try_each()
        code, output = run("doctor")

    assert code == 1
    assert f"{SCHEME}://ada@127.0.0.1:{stranger.port}/ has a certificate that is not trusted: " in output
    assert "  ->  add ?ssl_ca_certs=/path/of/its/ca.pem to BROKER_URL, or correct its host" in output
    assert stranger.said == []
    assert len(stranger.refused) > len(CONNECTIONS)


def test_nor_is_one_with_the_certificate_of_another_host(authority: Authority, use_broker: UseBroker) -> None:
    with listening(authority.server("DNS:broker.example.org")) as other:
        use_broker(f"{SCHEME}://ada:hidden@127.0.0.1:{other.port}/?ssl_ca_certs={authority.certificate}")

        try_each()

    assert other.said == []


@pytest.mark.parametrize("parameters", ["ssl_ca_certs={}", "ssl_cert_reqs=none", "ssl_cert_reqs=CERT_NONE"])
def test_who_is_trusted_is_spoken_to(authority: Authority, use_broker: UseBroker, parameters: str) -> None:
    with listening(authority.server("IP:127.0.0.1")) as broker:
        parameters = parameters.format(authority.certificate)
        use_broker(f"{SCHEME}://ada:hidden@127.0.0.1:{broker.port}/?{parameters}")

        try_each()

    assert broker.said
    assert broker.refused == []


def test_a_host_of_several_is_asked_for_its_own_certificate(authority: Authority, use_broker: UseBroker) -> None:
    with listening(authority.server("IP:127.0.0.1")) as one, listening(authority.server("DNS:localhost")) as two:
        hosts = (
            f"{SCHEME}://127.0.0.1:{one.port}/?ssl_ca_certs={authority.certificate};{SCHEME}://localhost:{two.port}/"
        )
        use_broker(hosts)

        with celery.connection_for_write() as connection, pytest.raises(Exception, match=r"onnect|closed|EOF"):
            connection.ensure_connection(max_retries=6, interval_start=0, interval_step=0)

    # More than once: a name that is remembered from the host before is another one.
    assert len(one.said) > 1
    assert len(two.said) > 1
    assert one.refused == two.refused == []


def test_the_names_of_a_certificate_may_be_left_aside(authority: Authority, use_broker: UseBroker) -> None:
    with listening(authority.server("DNS:broker.example.org")) as broker:
        parameters = f"ssl_ca_certs={authority.certificate}&ssl_check_hostname=false"
        use_broker(f"{SCHEME}://127.0.0.1:{broker.port}/?{parameters}")

        try_each()

    assert broker.said
    assert broker.refused == []


def test_the_command_of_celery_reads_the_url_as_all_others_do(authority: Authority) -> None:
    """It copies BROKER_URL into a variable of its own, where kombu would read the parameters otherwise."""
    with listening(authority.server("IP:127.0.0.1")) as broker:
        url = f"{SCHEME}://ada:hidden@127.0.0.1:{broker.port}/?ssl_ca_certs={authority.certificate}"
        words = [sys.executable, "-m", "celery", "-q", "-A", "app.worker", "inspect", "ping"]
        asking = subprocess.Popen(words, env=os.environ | {"BROKER_URL": url}, stdout=subprocess.DEVNULL)
        try:
            until(lambda: broker.said or asking.poll() is not None)
        finally:
            asking.kill()
            asking.wait()

    assert broker.said
    assert broker.refused == []
