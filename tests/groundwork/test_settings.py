from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from app.main import create_app
from groundwork.broker import SCHEMES
from groundwork.http.tokens import TokenInvalid, read_token, sign_token
from groundwork.settings import SettingsInvalid, get_settings

# Of the broker that this service has.
SCHEME = next(iter(SCHEMES))
COMPLETE = {
    "DATABASE_URL": "postgresql+asyncpg://ada:p%40ss@db/app",
    "BROKER_URL": f"{SCHEME}://broker",
    "SECRET_KEY": "0123456789abcdef" * 2,
    "PUBLIC_URL": "https://example.org",
    "ENVIRONMENT": "production",
    "MAIL_DRY_RUN": "true",
}


@pytest.fixture(autouse=True)
def _read_again(monkeypatch: pytest.MonkeyPatch) -> object:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name.upper(), str(value))
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


def test_one_url_serves_every_driver() -> None:
    assert get_settings().database_url == "postgresql://ada:p%40ss@db/app"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SECRET_KEY", "", "SECRET_KEY: not set; set it in the environment"),
        ("SECRET_KEY", "short", "SECRET_KEY: has fewer than 32 characters; make one with"),
        ("DATABASE_URL", "", "DATABASE_URL: not set"),
        ("DATABASE_URL", "sqlite:///x.db", "sqlite is not supported; use postgresql://"),
        ("DATABASE_URL", "nonsense", "is not a URL such as postgresql://"),
        ("BROKER_URL", "memory://", "BROKER_URL=memory:// is for development only; correct it"),
        ("PUBLIC_URL", "x.example.org", "PUBLIC_URL: 'x.example.org' is not a URL; use https://x.example.org; correct"),
        ("PUBLIC_URL", "https://", "PUBLIC_URL: Input should be a valid URL, empty host"),
        ("PUBLIC_URL", "http://example.org", "PUBLIC_URL=http://example.org/ is not https, and passwords travel there"),
        ("SECRET_KEY", "ab" * 20, "SECRET_KEY repeats a few characters; make one with"),
        ("SECRET_KEY_PREVIOUS", "ab" * 20, "SECRET_KEY_PREVIOUS repeats a few characters"),
        ("SECRET_KEY_PREVIOUS", "short", "SECRET_KEY_PREVIOUS: has fewer than 32 characters"),
        ("HEALTH_TOKEN", "short", "HEALTH_TOKEN: has fewer than 32 characters"),
        ("BROKER_URL", f"{SCHEME}://guest:guest@db", "BROKER_URL has the password of an example; choose another one"),
        ("DATABASE_URL", "postgresql://app:app@db/app", "DATABASE_URL has the password of an example"),
        ("DATABASE_URL", "postgresql://ada@db/app?password=app", "DATABASE_URL has the password of an example"),
        ("DATABASE_URL", "postgresql://ada@db/app?password=p%6Fstgres", "DATABASE_URL has the password of an example"),
        ("BROKER_URL", f"{SCHEME}://:long-one@a;{SCHEME}://:redis@b", "BROKER_URL has the password of an example"),
        ("DIRECT_DATABASE_URL", "postgresql://app:app@db/app", "DIRECT_DATABASE_URL has the password of an example"),
        ("DIRECT_DATABASE_URL", "mysql://db/app", "DIRECT_DATABASE_URL: mysql is not supported; use postgresql://"),
        ("SECRETS_DIR", "/nowhere", "SECRETS_DIR: /nowhere is not a folder; correct it in the environment"),
        ("TRUSTED_HOSTS", ".example.org", "TRUSTED_HOSTS: '.example.org' is not a name of a host; use app.example.org"),
        ("TRUSTED_HOSTS", "app.example:80", "TRUSTED_HOSTS: 'app.example:80' is not a name of a host; use"),
        ("TRUSTED_HOSTS", "*", "TRUSTED_HOSTS: '*' is not a name of a host; use app.example.org"),
        ("TRUSTED_HOSTS", "https://a.example", "TRUSTED_HOSTS: 'https://a.example' is not a name of a host"),
        ("CORS_ORIGINS", "*", "CORS_ORIGINS: '*' is not an origin; use https://app.example.org"),
        ("PUBLIC_URL", "https:/example.org", "PUBLIC_URL: 'https:/example.org' is not a URL; use https://example.org;"),
        (
            "PUBLIC_URL",
            "'https://example.org'",
            "PUBLIC_URL: has quotes around it, which `docker --env-file` and secret",
        ),
        ("DATABASE_URL", '"postgresql://ada:hidden@db/app"', "DATABASE_URL: has quotes around it"),
        ("PROJECT_NAME", "Two\nlines", "PROJECT_NAME: has a line break or another control character in it; write"),
        ("JOB_QUEUE", "one,two", "JOB_QUEUE: 'one,two' is not a name of a queue; use up to 100 letters"),
        ("JOB_QUEUE", "#", "JOB_QUEUE: '#' is not a name of a queue"),
        ("JOB_QUEUE", "amq.jobs", "JOB_QUEUE: 'amq.jobs' is not a name of a queue"),
        ("MAIL_ONLY_TO", "example.org", "MAIL_ONLY_TO: 'example.org' is neither an address nor a domain; use ada@"),
        ("MAIL_OUTBOX", "~/mail", "MAIL_OUTBOX: ~/mail would be a folder of this name; write its whole path"),
        ("MAIL_OUTBOX", "mailpit:1025", "MAIL_OUTBOX: mailpit:1025 would be a folder of this name; write"),
        ("MAIL_TIMEOUT", "inf", "MAIL_TIMEOUT: Input should be less than or equal to 86400"),
        ("AUDIT_RETENTION_DAYS", "999999", "AUDIT_RETENTION_DAYS: Input should be less than or equal to 36500"),
        ("CORS_ORIGINS", "https://a.example/b", "CORS_ORIGINS: 'https://a.example/b' is not an origin"),
    ],
)
def test_a_wrong_setting_is_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsInvalid) as raised:
        get_settings()

    assert sentence in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_what_a_file_of_a_secret_ends_in_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    before = get_settings()
    get_settings.cache_clear()
    monkeypatch.setenv(name, f" {COMPLETE[name]} \r\n")

    assert get_settings() == before


def test_a_line_of_env_that_cannot_be_read_is_not_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(
        '# Ours\nexport PROJECT_NAME=Ours\n\nTRUSTED_HOSTS="a.example\nMAIL_FROM=a@b.example\n'
    )

    with pytest.raises(
        SettingsInvalid, match=r"^\.env, line 4: cannot be read; write NAME=value, and close its quotes\.$"
    ):
        get_settings()


def test_a_wrong_sender_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_FROM", "nobody")

    with pytest.raises(SettingsInvalid, match="MAIL_FROM: 'nobody' is not one address; write Ada Lovelace <ada@"):
        create_app()


def test_a_secret_that_may_not_be_read_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.delenv("SECRET_KEY")
    (tmp_path / "secret_key").write_bytes(b"\xff" * 40)

    with pytest.raises(SettingsInvalid, match=r"secret_key.*: 'utf-8' codec can't decode"):
        get_settings()


@pytest.mark.parametrize("password", ["long\N{FULLWIDTH QUESTION MARK}one", "lo[ng-one", "long%23app"])
def test_in_production_too_a_password_may_have_any_sign(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://ada:{password}@one,two/app")

    assert get_settings().environment == "production"


def test_several_brokers_in_one_setting_are_for_celery_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL", f"{SCHEME}://:long-one@a;{SCHEME}://:long-one@b")

    assert get_settings().broker_url.endswith("@b")


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "my-top-secret-" * 4)

    assert "top-secret" not in repr(get_settings())
    assert "p%40ss" not in repr(get_settings())


def test_everything_unsafe_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL", f"{SCHEME}://:changeme@redis")
    monkeypatch.setenv("SECRET_KEY", "a" * 40)

    with pytest.raises(SettingsInvalid) as refused:
        get_settings()

    assert "BROKER_URL has" in str(refused.value)
    assert "SECRET_KEY repeats" in str(refused.value)
    assert "changeme" not in str(refused.value)


def test_secrets_come_from_files_too_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.delenv("SECRET_KEY")
    for name, secret in (("secret_key", "from a file, " * 4), ("broker_url", f"{SCHEME}://elsewhere")):
        (tmp_path / name).write_text(f"{secret}\n")

    assert get_settings().secret_key == ("from a file, " * 4).strip()
    assert get_settings().broker_url == f"{SCHEME}://broker"


def test_what_the_previous_key_signed_is_believed_and_what_a_third_signed_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    subject, old = UUID(int=7), "the key of before " * 2
    monkeypatch.setenv("SECRET_KEY", old)
    get_settings.cache_clear()
    token = sign_token("access", subject, timedelta(minutes=1))

    monkeypatch.setenv("SECRET_KEY", COMPLETE["SECRET_KEY"])
    monkeypatch.setenv("SECRET_KEY_PREVIOUS", old)
    get_settings.cache_clear()
    assert read_token("access", token) == subject
    with pytest.raises(TokenInvalid):
        read_token("ticket", token)

    monkeypatch.delenv("SECRET_KEY_PREVIOUS")
    get_settings.cache_clear()
    with pytest.raises(TokenInvalid):
        read_token("access", token)


@pytest.mark.parametrize("purpose", ["access", "ticket", "admin-page"])
@pytest.mark.parametrize("ahead", [3, 25])
def test_the_clock_of_another_process_may_be_ahead(purpose: str, ahead: int) -> None:
    subject = UUID(int=7)
    theirs = datetime.now(UTC) + timedelta(seconds=ahead)

    assert read_token(purpose, sign_token(purpose, subject, timedelta(seconds=30), issued_at=theirs)) == subject
