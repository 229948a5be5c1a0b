"""What became of mail: who bounced or complained gets no more, until somebody lifts that."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from people import SignInAs
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from app.accounts.models import User
from app.accounts.tasks import send_welcome
from app.cli import cli
from app.settings import API
from groundwork.audit.models import AuditEvent
from groundwork.jobs import housekeeping
from groundwork.jobs.enqueueing import enqueue
from groundwork.jobs.models import Status
from groundwork.mail.callback import each
from groundwork.mail.delivery import deliver
from groundwork.mail.events import Kind, MailEvent
from groundwork.mail.failures import PermanentFailure
from groundwork.mail.message import Address, Message
from groundwork.mail.models import ReportedEvent, SuppressedAddress
from groundwork.testing import Outbox, RunJob

ADA, BOB = Address("ada@example.org"), Address("Bob@Example.org")


@pytest.fixture(autouse=True)
def _bob_bounced(session: Session) -> None:
    session.add(SuppressedAddress(email="bob@example.org", kind="bounced", reason="550 no such user"))
    session.commit()


def message(*to: Address, cc: tuple[Address, ...] = ()) -> Message:
    return Message(to=to, cc=cc, subject="Hello", text="Hi", html="<p>Hi</p>")


def test_who_bounced_gets_no_more_mail(outbox: Outbox) -> None:
    with pytest.raises(PermanentFailure, match="bounced before"):
        deliver(message(BOB), idempotency_key="0001")

    assert outbox() == []


def test_the_others_get_it(outbox: Outbox) -> None:
    deliver(message(ADA, BOB, cc=(BOB,)), idempotency_key="0001")

    [mail] = outbox()
    assert (mail["To"], mail["Cc"]) == ("ada@example.org", None)


def test_a_job_that_mails_them_fails_at_once_and_says_why(session: Session, run_job: RunJob) -> None:
    bob = User(email="bob@example.org")
    session.add(bob)
    session.flush()
    job = enqueue(session, send_welcome, user_id=bob.id)
    session.commit()

    run_job(job)

    assert (job.status, job.attempts) == (Status.FAILED, 1)
    assert "bounced before" in (job.error or "")


def test_an_admin_sees_and_lifts_it(client: TestClient, user: User, sign_in: SignInAs, session: Session) -> None:
    assert client.get(f"{API}/suppressed-addresses", headers=sign_in()).status_code == 403
    assert client.delete(f"{API}/suppressed-addresses/bob@example.org", headers=sign_in()).status_code == 403
    user.admin = True
    session.commit()

    [seen] = client.get(f"{API}/suppressed-addresses", headers=sign_in()).json()
    lifted = [client.delete(f"{API}/suppressed-addresses/Bob@example.org", headers=sign_in()) for _ in range(2)]

    assert (seen["email"], seen["kind"], seen["reason"]) == ("bob@example.org", "bounced", "550 no such user")
    assert [reply.status_code for reply in lifted] == [204, 404]
    assert client.get(f"{API}/suppressed-addresses", headers=sign_in()).json() == []
    assert session.scalars(select(AuditEvent.kind)).all() == ["suppression-lifted"]


def test_suppressed_addresses_come_in_pages(
    client: TestClient, user: User, sign_in: SignInAs, session: Session
) -> None:
    session.add_all(SuppressedAddress(email=f"{name}@example.org", kind="complained", reason="") for name in "xyz")
    user.admin = True
    session.commit()

    first = client.get(f"{API}/suppressed-addresses", params={"limit": 3}, headers=sign_in()).json()
    rest = client.get(f"{API}/suppressed-addresses", params={"after": first[-1]["email"]}, headers=sign_in()).json()

    assert [row["email"] for row in first + rest] == [f"{name}@example.org" for name in ("bob", "x", "y", "z")]


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'"hello"', b"\xff\xfe", b"[" * 10_000])
def test_a_stranger_is_no_provider(client: TestClient, session: Session, body: bytes) -> None:
    reply = client.post(f"{API}/webhooks/email", content=body)

    # Of another shape, or nothing is agreed with the provider, or there is none: no stranger learns more.
    assert reply.status_code in {401, 406, 503}
    assert reply.json()["type"].startswith("urn:problem:")
    assert session.scalar(select(func.count()).select_from(ReportedEvent)) == 0


def test_one_report_that_nobody_understands_does_not_hold_up_the_others() -> None:
    bounce = MailEvent("event-1", Kind.BOUNCED, "ada@example.org", "message-1", datetime.now(UTC))
    known = {"bounce": bounce, "open": None}

    assert each(["other", "bounce", "open"], known.__getitem__) == (bounce,)
    # Where nothing is understood the provider is told so.
    with pytest.raises(KeyError):
        each(["other", "open"], known.__getitem__)


def test_old_reports_are_deleted_and_suppressions_stay(session: Session, run_job: RunJob) -> None:
    about = {"kind": "bounced", "email": "bob@example.org", "message_id": "m", "reason": "", "at": func.now()}
    session.add(ReportedEvent(id="old", received_at=func.now() - timedelta(days=31), **about))
    session.add(ReportedEvent(id="new", **about))
    job = enqueue(session, housekeeping)
    session.commit()

    run_job(job)

    assert session.scalars(select(ReportedEvent.id)).all() == ["new"]
    assert session.scalar(select(func.count()).select_from(SuppressedAddress)) == 1


def test_an_operator_sees_and_lifts_it() -> None:
    listed = CliRunner().invoke(cli, ["mail", "suppressed"])
    lifted = [CliRunner().invoke(cli, ["mail", "lift", "Bob@example.org"]) for _ in range(2)]

    assert "bounced     bob@example.org  550 no such user" in listed.output
    assert [result.exit_code for result in lifted] == [0, 1]
    assert "is not suppressed" in lifted[1].output
