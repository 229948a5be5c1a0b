import pytest
from fastapi.testclient import TestClient
from kombu.exceptions import OperationalError
from people import PASSWORD

from app.accounts.models import User
from app.accounts.tasks import note_sign_in
from app.settings import API
from app.worker import celery
from groundwork.testing import SetVariable


def test_a_plain_task_without_a_broker_runs_at_once_instead_of_vanishing(set_variable: SetVariable) -> None:
    set_variable("BROKER_URL", "memory://localhost")
    done = []

    @celery.task(name="plain")
    def plain(what: str) -> None:
        done.append(what)

    plain.delay("a")
    plain.delay(what="b")
    celery.tasks.pop("plain")

    assert done == ["a", "b"]


def test_somebody_signs_in_although_the_broker_is_down(
    client: TestClient, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refuse(*_: object, **__: object) -> None:
        asked.append(True)
        raise OperationalError("broker down")

    monkeypatch.setattr(note_sign_in, "delay", refuse)
    reply = client.post(f"{API}/auth/token", data={"username": user.email, "password": PASSWORD})

    assert reply.status_code == 200
    assert asked
