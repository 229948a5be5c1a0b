"""What the service says at its start of a provider that is not set up."""

from collections.abc import Iterator

import pytest
from provider_api import Api

from groundwork.broker import SCHEMES
from groundwork.settings import Settings, SettingsInvalid, get_settings

PRODUCTION = {
    "DATABASE_URL": "postgresql://ada:secret-enough@db/app",
    "BROKER_URL": f"{next(iter(SCHEMES))}://broker",
    "SECRET_KEY": "0123456789abcdef" * 2,
    "PUBLIC_URL": "https://example.org",
    "ENVIRONMENT": "production",
    "MAIL_DRY_RUN": "false",
}


@pytest.fixture(autouse=True)
def _in_production(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in (PRODUCTION | Api.settings).items():
        monkeypatch.setenv(name.upper(), str(value))
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


def complaint() -> str:
    get_settings.cache_clear()
    try:
        get_settings()
    except SettingsInvalid as error:
        return str(error)
    return ""


def test_a_missing_key_of_the_mail_provider_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [name.upper() for name in Api.settings if name.endswith(("_key", "_token"))]
    for key in keys:
        monkeypatch.delenv(key)

    assert all(f"{key} is not set, and no mail leaves without it" in complaint() for key in keys)
    assert complaint().count("no mail leaves") == len(keys)
    monkeypatch.setenv("MAIL_DRY_RUN", "true")
    assert complaint() == ""


URL = getattr(Api, "url_setting", "")
# The rest of the way that a provider documents, or a part of it.
WRONG = ["{}/v3", "{}/v1/email/send", "{}?key=secret-word", "https://ada:secret-word@example.org", "api.example.org"]


@pytest.mark.parametrize("url", WRONG)
def test_a_url_that_no_request_can_be_made_of_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    if URL:
        monkeypatch.setenv(URL.upper(), url.format(Settings.model_fields[URL].default or "https://example.org"))

        assert complaint().startswith(f"{URL.upper()}: ")
        assert "secret-word" not in complaint()


def test_a_slash_at_the_end_of_a_url_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    if URL:
        usual = Settings.model_fields[URL].default or "https://example.org"
        monkeypatch.setenv(URL.upper(), f"{usual}/")

        assert complaint() == ""
        assert getattr(get_settings(), URL) == usual


@pytest.mark.parametrize("key", ["pässwörd-secret", "two secret words", "secret\nX-Header: 1"])
def test_a_key_that_no_header_carries_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    for name in [name for name in Api.settings if name.endswith(("_key", "_token"))]:
        with monkeypatch.context() as odd:
            odd.setenv(name.upper(), key)

            assert complaint().startswith(f"{name.upper()}: has a space, a line break or another character")
            assert "secret" not in complaint()
