"""The servers that people put around a service: each story ends with a mail received and a job seen in the browser."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from conftest import Generate, present_or_skipped
from playwright.sync_api import expect

from brokers import postgresql_by_tls, rabbitmq_by_tls, redis_by_tls
from browser import chromium, window
from chaos_program import until
from mail_server import PASSWORD, USER, exim, messages
from private_servers import Server
from proxies import haproxy, nginx, pgbouncer, started
from run_folder import RunFolder
from services import made_database
from serving import running
from test_browser import ADA, register, see_one_finish, sign_in, use_link

pytestmark = [pytest.mark.servers, pytest.mark.slow]


@pytest.fixture
def authority(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """One that the whole service trusts, and nobody else does."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(workplace / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(workplace / "authority.pem"))
    return authority


def by_mail(mail: Server, security: str) -> dict[str, str]:
    host, _, port = mail.url.removeprefix("smtp://").partition(":")
    return {
        "SMTP_HOST": host,
        "SMTP_PORT": port,
        "SMTP_SECURITY": security,
        "SMTP_USERNAME": USER,
        "SMTP_PASSWORD": PASSWORD,
        # Outside production mail leaves to nobody else.
        "MAIL_ONLY_TO": ADA,
        "MAIL_FROM": "Example <service@example.org>",
    }


def see_a_job(
    run: RunFolder, render: Path, logs: Path, proxy: Callable[[RunFolder, Path, int], Server], mail: Server, **urls: str
) -> None:
    """From the registration on, by way of the proxy and of the mail; the doctor has nothing to say."""
    with (
        chromium() as browser,
        started(run, mail),
        running(run, render, logs, urls, lambda port: started(run, proxy(run, render, port))) as service,
        window(browser, proxy.__name__) as person,
    ):
        until(lambda: service.doctor().returncode == 0, "the doctor has no objection")
        tab = person.open(service.url)
        register(person, tab)
        [message] = until(lambda: messages(mail), "the mail arrives")
        assert message["To"] == ADA
        assert message["Auto-Submitted"] == "auto-generated"
        text = message.get_body(("plain",))
        assert text is not None
        use_link(person, person.open(next(word for word in text.get_content().split() if "#token=" in word)))
        sign_in(tab)
        expect(tab.get_by_role("status")).to_have_text("live")
        see_one_finish(tab)


def test_behind_nginx_and_pgbouncer_with_a_redis_that_wants_tls(
    generate: Generate, run_folder: RunFolder, workplace: Path, authority: trustme.CA
) -> None:
    render = generate(broker="redis", database="async", email_provider="smtp")
    with (
        present_or_skipped(),
        made_database(run_folder) as database_url,
        started(run_folder, pgbouncer(run_folder, render, database_url)) as pooled_url,
        started(run_folder, redis_by_tls(run_folder, authority)) as broker_url,
    ):
        mail = exim(run_folder, authority, "starttls")
        urls = {"DATABASE_URL": pooled_url, "DIRECT_DATABASE_URL": database_url, "BROKER_URL": broker_url}

        see_a_job(run_folder, render, workplace, nginx, mail, **urls, **by_mail(mail, "starttls"))


def test_behind_haproxy_with_a_postgresql_and_a_rabbitmq_that_want_tls(
    generate: Generate, run_folder: RunFolder, workplace: Path, authority: trustme.CA
) -> None:
    render = generate(broker="rabbitmq", database="sync", email_provider="smtp")
    with (
        present_or_skipped(),
        started(run_folder, postgresql_by_tls(run_folder, authority)) as database_url,
        started(run_folder, rabbitmq_by_tls(run_folder, authority)) as broker_url,
    ):
        mail = exim(run_folder, authority, "tls")
        urls = {"DATABASE_URL": f"{database_url}?sslmode=verify-full&sslrootcert=system", "BROKER_URL": broker_url}

        see_a_job(run_folder, render, workplace, haproxy, mail, **urls, **by_mail(mail, "tls"))
