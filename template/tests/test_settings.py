import pytest

from app.settings import SettingsInvalid, get_settings

COMPLETE = {
    "DATABASE_URL": "postgresql+asyncpg://ada:p%40ss@db/app",
    "BROKER_URL": "amqp://broker",
    "SECRET_KEY": "x" * 32,
    "ENVIRONMENT": "production",
}


@pytest.fixture(autouse=True)
def _read_again(monkeypatch: pytest.MonkeyPatch) -> object:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
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
        ("PUBLIC_URL", "example.org", "PUBLIC_URL"),
    ],
)
def test_a_wrong_setting_is_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsInvalid) as raised:
        get_settings()

    assert sentence in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "top-secret-" * 4)

    assert "top-secret" not in repr(get_settings())
    assert "p%40ss" not in repr(get_settings())
