"""A BROKER_URL that cannot work is refused before anything starts, in one sentence that has no password."""

from pathlib import Path

import pytest
from broker_servers import Authority

from groundwork.broker import SCHEMES
from groundwork.settings import SettingsInvalid, get_settings
from groundwork.testing import SetVariable

REDIS = [
    ("sentinel://:hidden@a:26379/0", "names no master; write sentinel://host:26379/0?master_name=mymaster"),
    ("sentinel://:hidden@a;sentinel://b?master_name=m", "has another user, password or database in one of its URLs"),
    ("sentinel://a/0;sentinel://b/1?master_name=m", "has another user, password or database in one of its URLs"),
    (
        "sentinel://a/0?service_name=m",
        "the parameter 'service_name', which sentinel:// does not have; write master_name",
    ),
    ("redis://:hidden@a/first", "names the database 'first' of Redis; write its number, as in redis://host:6379/0"),
    ("redis+socket:///a?virtual_host=x", "names the database 'x' of Redis"),
    ("redis+socket:///a;redis+socket:///b", "has several redis+socket:// URLs"),
    ("redis://:hidden@a;rediss://b", "has redis and rediss in one list; write one of them for all of its URLs"),
    ("redis://:hidden@a;amqp://b", "amqp://b is not supported; use redis:// or rediss:// or"),
    ("redis://a/0?socket_timeout=5", "has the parameter 'socket_timeout', which redis:// does not have; remove it"),
    ("redis://a/0?password=hidden", "has the parameter 'password', which redis:// does not have; write it before"),
    ("redis://a/0?ssl_cert_reqs=required", "which redis:// does not have; write rediss:// for an encrypted"),
    ("rediss://a/0?ssl_cert_reqs=never", "has ssl_cert_reqs=never; write required or none"),
    ("rediss://a/0?ssl_ca_certs=/nowhere", "names /nowhere as ssl_ca_certs, and there is no such file; write"),
    ("rediss://a?ssl_cert_reqs=none;rediss://b?ssl_cert_reqs=required", "has 'ssl_cert_reqs' twice, with two values"),
    ("REDISS://a", "REDISS://a is not supported; use redis:// or rediss:// or"),
    ("redis://:hid;den@a", "cannot be read; "),
    ("redis://hidden@a/0", "names a user and no password; write redis://:password@host where there is only a password"),
    ("redis://a/3/", "names the database '3/' of Redis; write its number"),
    ("redis://:hidden@a:6379,b:6379/0", "has several hosts in one URL; write redis://one;redis://two, each with"),
    ("redis://:hidden@a:70000/0", "has the port 70000; ports end at 65535"),
    ("rediss://a/0?ssl_ca_certs=/etc/passwd", "names /etc/passwd as ssl_ca_certs, which is not of use: NO_CERT"),
    ("rediss://a/0?ssl_keyfile=/etc/passwd", "has ssl_keyfile without ssl_certfile; write both"),
]
RABBITMQ = [
    ("amqp://ada:hidden@a;amqps://b", "has amqp and amqps in one list; write one of them for all of its URLs"),
    ("amqp://ada:hidden@a,b//", "has several hosts in one URL; write amqp://one;amqp://two, each with"),
    ("amqp://ada:hidden@a:70000//", "has the port 70000; ports end at 65535"),
    ("amqps://a//?ssl_certfile=/etc/passwd", "names /etc/passwd as ssl_certfile, which is not of use: "),
    ("amqp://ada:hidden@a;redis://b", "redis://b is not supported; use amqp:// or amqps:// or"),
    ("amqp://a//?ssl_ca_certs=/x", "which amqp:// does not have; write amqps:// for an encrypted connection"),
    ("amqps://a//?cacertfile=/x", "has the parameter 'cacertfile', which amqps:// does not have; write ssl_ca_certs"),
    ("amqps://a//?verify=verify_none", "has the parameter 'verify', which amqps:// does not have; remove it"),
    ("amqps://a//?ssl_keyfile=/nowhere", "names /nowhere as ssl_keyfile, and there is no such file; write"),
    ("amqps://a//?ssl_check_hostname=maybe", "has ssl_check_hostname=maybe; write true or false"),
    ("amqp://a//?heartbeat=often", "has heartbeat=often; write a number of seconds"),
    ("amqp://a//?connection_timeout=5", "has the parameter 'connection_timeout', which amqp:// does not have; remove"),
    ("sqs://ada:hidden@", "sqs://ada@ is not supported; use amqp:// or amqps:// or"),
]


@pytest.mark.parametrize(("url", "sentence"), REDIS if "redis" in SCHEMES else RABBITMQ)
def test_what_cannot_work_is_one_sentence(set_variable: SetVariable, url: str, sentence: str) -> None:
    set_variable("BROKER_URL", url)

    with pytest.raises(SettingsInvalid) as raised:
        get_settings()

    said = str(raised.value)
    assert said.startswith("BROKER_URL: ")
    assert sentence in said
    assert len(said.splitlines()) == 1
    assert "hid" not in said


@pytest.mark.parametrize("name", ["CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"])
def test_a_variable_that_celery_believes_more_is_refused(
    set_variable: SetVariable, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "redis://:hidden@elsewhere")
    set_variable("BROKER_URL", f"{next(iter(SCHEMES))}://here")

    with pytest.raises(SettingsInvalid, match=f"BROKER_URL: is not what Celery would use: {name} is set too; unset"):
        get_settings()


GOOD = {
    "redis": [
        "redis://a",
        "redis://a/",
        "redis://a:6379/3",
        "redis://a/0;redis://b/1",
        "redis+socket:///a?virtual_host=1",
    ],
    "amqp": [
        "amqp://a",
        "amqp://a/%2F",
        "amqp://a;amqp://b",
        "pyamqp://a//",
        "amqps://a?login_method=EXTERNAL&heartbeat=30",
    ],
}


@pytest.mark.parametrize("url", GOOD[next(iter(SCHEMES))])
def test_what_works_is_not_refused(set_variable: SetVariable, url: str) -> None:
    set_variable("BROKER_URL", url)

    assert get_settings().broker_url == url


def test_a_file_that_is_there_is_taken(set_variable: SetVariable, tmp_path: Path) -> None:
    ca = Authority(tmp_path / "authority").certificate
    scheme = "rediss" if "rediss" in SCHEMES else "amqps"
    set_variable("BROKER_URL", f"{scheme}://a?ssl_ca_certs={ca};{scheme}://b")

    assert get_settings().broker_url.endswith("://b")
