"""`app doctor`: what it finds, and the remedy that it names."""

from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import make_url
from sqlalchemy.orm import Session
from support import UseBroker, run

from app.accounts.tasks import send_welcome
from groundwork.broker import SCHEMES
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.entries import Entry, every
from groundwork.jobs.outdated import housekeeping
from groundwork.mail import provider
from groundwork.mail.failures import TemporaryFailure
from groundwork.settings import get_settings
from groundwork.testing import SetVariable


@pytest.mark.usefixtures("relay_looked")
def test_the_doctor_finds_a_healthy_service_healthy() -> None:
    code, output = run("doctor")

    assert code == 0, output
    for what in ("settings", "database", "durability", "migrations", "jobs", "schedule", "broker", "mail"):
        assert f"ok  {what}" in output


def test_the_doctor_names_what_is_missing_and_the_remedy(set_variable: SetVariable) -> None:
    set_variable("SECRET_KEY", "short")

    code, output = run("doctor")

    assert code == 1
    assert "!!  settings   SECRET_KEY" in output


def test_the_doctor_sees_a_relay_that_does_not_run() -> None:
    code, output = run("doctor")

    assert code == 1
    assert "!!  jobs       No relay has run yet" in output


def test_the_doctor_tells_why_there_is_no_database(set_variable: SetVariable) -> None:
    nowhere = make_url(get_settings().database_url).set(database="nowhere")
    said = []
    for url in (nowhere.render_as_string(hide_password=False), "postgresql://ada:secret-word@127.0.0.1:1/app"):
        set_variable("DATABASE_URL", url)
        said.append(run("doctor"))

    remedy = "->  start it, or correct DATABASE_URL"
    assert [code for code, _ in said] == [1, 1]
    assert f'FATAL:  database "nowhere" does not exist  {remedy}' in said[0][1]
    assert f"no connection to postgresql://ada@127.0.0.1:1/app: Connection refused  {remedy}" in said[1][1]
    assert "secret-word" not in said[1][1]


@pytest.mark.parametrize(
    ("name", "url", "shown"),
    [
        ("DATABASE_URL", "postgresql://ada@127.0.0.1:1/app?password=secret-word", "postgresql://ada@127.0.0.1:1/app:"),
        (
            "DATABASE_URL",
            "postgresql://ada@:1/app?host=%2Ftmp%2Fnowhere&sslpassword=secret-word",
            "postgresql://ada@:1/app?host=/tmp/nowhere:",
        ),
        ("BROKER_URL", "nonsense://x/0?password=secret-word", "nonsense://x/0 is"),
        ("BROKER_URL", "nonsense://:secret-@word@x;nonsense://:secret-word@y", "nonsense://@y is"),
        ("BROKER_URL", "nonsense://:secret-?word@x/0", "BROKER_URL: cannot be read"),
        ("BROKER_URL", "nonsense://x/0?password=secret-@word", "BROKER_URL: cannot be read"),
        ("MAIL_OUTBOX", "smtp://ada:secret-word@127.0.0.1:1025", "MAIL_OUTBOX: is neither a folder"),
    ],
)
def test_the_doctor_shows_no_password(set_variable: SetVariable, name: str, url: str, shown: str) -> None:
    set_variable(name, url)

    output = run("doctor")[1]

    assert shown in output
    assert "secret-" not in output
    assert "word@" not in output


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("smtp://127.0.0.1:1", "MAIL_OUTBOX=smtp://127.0.0.1:1 does not answer"),
        ("alembic.ini/mail", "alembic.ini is not a folder to which this user may write"),
        ("smtps://mail.example.org", "MAIL_OUTBOX: is neither a folder nor the URL of a catcher"),
        ("smtp://mail.example.org:99999", "MAIL_OUTBOX: is neither a folder nor the URL of a catcher"),
        ("smtp:mail.example.org:1025", "MAIL_OUTBOX: is neither a folder nor the URL of a catcher"),
    ],
)
def test_the_doctor_asks_where_mail_is_kept(set_variable: SetVariable, place: str, says: str) -> None:
    set_variable("MAIL_DRY_RUN", "true")
    set_variable("MAIL_OUTBOX", place)

    assert says in run("doctor")[1]


@pytest.mark.parametrize("command", ["doctor", "migrate"])
def test_elsewhere_the_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(tmp_path)

    code, output = run(command)

    assert code == 1
    assert f"There is no alembic.ini in {tmp_path}; work in the folder of the service." in output


@pytest.mark.usefixtures("relay_looked")
def test_the_doctor_names_a_task_that_nobody_has_and_an_entry_that_cannot_be_enqueued(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    well = run("doctor")
    enqueue(session, send_welcome, user_id=uuid4()).task = "app.invoices.more.remind"
    session.commit()
    monkeypatch.setattr("app.schedule.SCHEDULE", (Entry("nightly", housekeeping, every(days=1), {"days": 1}),))

    code, output = run("doctor")

    assert well[0] == 0, well[1]
    assert code == 1
    assert "!!  jobs       jobs wait for app.invoices.more.remind, and no tasks.py has such a task" in output
    assert "!!  schedule   'nightly' cannot be enqueued: 1 validation error" in output


def test_the_doctor_sees_a_broker_that_does_not_answer(use_broker: UseBroker) -> None:
    use_broker(f"{next(iter(SCHEMES))}://127.0.0.1:1/")

    code, output = run("doctor")

    assert code == 1
    assert "!!  broker     " in output
    assert "does not answer" in output
    assert "correct BROKER_URL" in output


@pytest.mark.usefixtures("relay_looked")
def test_the_doctor_asks_each_of_several_brokers(use_broker: UseBroker) -> None:
    here, away = get_settings().broker_url, f"{next(iter(SCHEMES))}://ada:hidden@127.0.0.1:1/"
    use_broker(f"{here};{away}")

    code, output = run("doctor")

    assert code == 0, output
    shown = away.replace(":hidden", "")
    assert f" answers; {shown} does not answer: " in output
    assert "hidden" not in output


def test_the_doctor_names_the_brokers_that_this_service_can_have(set_variable: SetVariable) -> None:
    set_variable("BROKER_URL", "nonsense://x")

    assert f"nonsense://x is not supported; use {next(iter(SCHEMES))}:// or " in run("doctor")[1]


def test_the_doctor_sees_a_sender_that_is_no_address(set_variable: SetVariable) -> None:
    set_variable("MAIL_FROM", "nobody")

    code, output = run("doctor")

    assert code == 1
    assert "!!  mail       MAIL_FROM: 'nobody' is not one address" in output
    assert run("mail", "test", "ada@example.org")[1].startswith("MAIL_FROM: 'nobody' is not one address")


def test_the_doctor_sees_a_mail_provider_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent() -> str:
        raise TemporaryFailure("It does not answer.")

    monkeypatch.setattr(provider, "check", silent)
    monkeypatch.setattr(get_settings(), "mail_dry_run", False)

    code, output = run("doctor")

    assert code == 1
    assert "!!  mail       It does not answer.  ->  try again later" in output
