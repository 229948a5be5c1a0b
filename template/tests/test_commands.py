"""The commands of this service, and its example of an environment."""

from pathlib import Path

from fastapi.testclient import TestClient
from people import ME, PASSWORD, SignInAs
from sqlalchemy import func
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from app.accounts.models import Registration, User
from app.cli import cli
from app.settings import Settings


def run(*words: str, answers: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(cli, words, input=answers, catch_exceptions=False)
    return result.exit_code, result.output


def test_an_admin_is_made_by_answering_two_questions_whoever_registered_the_address(
    client: TestClient, session: Session, sign_in: SignInAs
) -> None:
    session.add(Registration(hash=b"", email="ada@example.org", password_hash="a stranger's", expires_at=func.now()))
    session.commit()

    code, _ = run("create-admin", answers=f"ada@example.org\n{PASSWORD}\n{PASSWORD}\n")

    me = client.get(ME, headers=sign_in()).json()
    assert code == 0
    assert me["admin"] is True
    assert me["verified"] is True


def test_an_admin_needs_a_free_address_and_a_decent_password(user: User) -> None:
    taken = run("create-admin", "--email", user.email, "--password", PASSWORD)
    short = run("create-admin", "--email", "eve@example.org", "--password", "short")

    assert taken == (1, "ada@example.org has an account already; choose another address.\n")
    assert short[0] == 1
    assert "password: " in short[1]


def test_every_setting_is_in_the_example_file() -> None:
    example = Path(".env.example").read_text()

    assert [name for name in Settings.model_fields if name.upper() not in example] == ["project_name"]
