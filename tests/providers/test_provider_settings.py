"""What the service says at its start of a provider that is not set up."""

from collections.abc import Iterator

import pytest
from provider_api import Api

from groundwork.broker import SCHEMES
from groundwork.settings import SettingsInvalid, get_settings

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
