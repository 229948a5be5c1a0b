import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable
from importlib import reload
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from live_server import serving
from support import run

import groundwork
from groundwork.settings import SettingsInvalid, get_settings
from groundwork.testing import SetVariable, until
from groundwork.tools import dev
from groundwork.tools.dev_environment import alone, development_environment, url_of


def test_a_second_app_dev_is_refused_and_leaves_the_first_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with alone(), development_environment("127.0.0.1", 0):
        refused = run("dev", "--port", "1024")
        assert Path(".dev/env").exists()

    assert refused == (1, "`app dev` runs already in this folder, at http://127.0.0.1:0; stop it first.\n")
    with alone():
        assert not Path(".dev/env").exists()


def folder(name: str) -> Callable[[], None]:
    return lambda: Path(name).mkdir(parents=True)


@pytest.mark.parametrize(
    ("in_the_way", "says"),
    [
        (Path(".dev").touch, "`app dev` cannot use .dev: File exists; work in a folder that is yours.\n"),
        (folder(".dev/lock"), "`app dev` cannot use .dev/lock: Is a directory; "),
        (folder(".dev/env"), "`app dev` cannot use .dev/env: Is a directory; "),
        (lambda: Path(".env").write_bytes(b"PASSWORD=p\xe4ss"), ".env: invalid continuation byte at byte 10; "),
    ],
    ids=["folder", "lock", "environment", "encoding"],
)
def test_what_app_dev_cannot_use_is_said_in_one_sentence(
    in_the_way: Callable[[], Any], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    in_the_way()

    code, output = run("dev", "--port", "1024")

    assert (code, output.count("\n")) == (1, 1)
    assert output.startswith(says)


def test_settings_in_a_file_with_a_mark_of_its_encoding_are_read_and_what_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = type(get_settings())
    monkeypatch.setitem(settings.model_config, "env_file", ".env")

    # As editors and shells on Windows write them.
    Path(".env").write_text("MAIL_FROM=ada@example.org\n", "utf-8-sig")
    monkeypatch.delenv("MAIL_FROM", raising=False)
    get_settings.cache_clear()
    assert get_settings().mail_from == "ada@example.org"
    Path(".env").write_text("MAIL_FROM=ada@example.org\n", "utf-16")
    get_settings.cache_clear()
    with pytest.raises(SettingsInvalid, match=r"^\.env: invalid start byte at byte 0; save it as UTF-8\.$"):
        get_settings()
    # One that root could not read either.
    Path(".env").unlink()
    Path(".env").symlink_to("/proc/self/mem")
    with pytest.raises(SettingsInvalid, match=r"^\.env: Input/output error; make it readable for this user\.$"):
        get_settings()


def test_another_terminal_reads_every_value_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outbox = str(tmp_path / r"it's \n 100% & #1")
    monkeypatch.setenv("MAIL_OUTBOX", outbox)

    with alone(), development_environment("127.0.0.1", 0):
        assert dotenv_values(".dev/env")["MAIL_OUTBOX"] == outbox


def test_files_that_cannot_be_watched_are_polled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def awatch(*_: str, force_polling: bool = False, **__: object) -> AsyncIterator[set[tuple[int, str]]]:
        if not force_polling:
            raise OSError("OS file watch limit reached")
        yield {(1, "polled.py")}

    async def first() -> object:
        return await anext(dev._changes(asyncio.Event()))

    monkeypatch.setattr(dev, "awatch", awatch)

    assert asyncio.run(first()) == {(1, "polled.py")}
    assert "OS file watch limit reached; `app dev` polls them instead" in capsys.readouterr().out


def test_windows_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")

    with pytest.raises(SystemExit, match=r"^This service runs on Linux and macOS, not on Windows; work in WSL 2 "):
        reload(groundwork)


@pytest.mark.parametrize("host", ["::1", "127.0.0.1", "localhost"])
def test_app_dev_listens_where_it_is_told_and_refuses_a_taken_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".dev").mkdir()
    [(family, *_, address), *_] = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)

    with socket.socket(family) as taken:
        taken.bind(address)
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(SettingsInvalid, match=f"{port}: Address already in use"),
            development_environment(host, port),
        ):
            pass
    with development_environment(host, port) as values:
        assert values["PUBLIC_URL"] == (f"http://[::1]:{port}" if host == "::1" else f"http://{host}:{port}")


@pytest.mark.parametrize(("host", "url"), [("0", "127.0.0.1"), ("::", "[::1]"), ("", "127.0.0.1"), ("box", "box")])
def test_a_browser_can_follow_the_printed_url(host: str, url: str) -> None:
    assert url_of(host, 8000) == f"http://{url}:8000"


def test_app_dev_uses_the_port_of_the_environment(
    tmp_path: Path, set_variable: SetVariable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        set_variable("PORT", str(port))

        refused = run("dev")

    assert refused == (1, f"127.0.0.1:{port}: Address already in use; choose another --host or --port.\n")


def test_a_proxy_for_the_internet_is_not_asked_for_this_machine(set_variable: SetVariable) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        set_variable(name, "http://127.0.0.1:9")

    with serving() as (url, _):
        until(lambda: dev.answers(f"{url}/health/ready"))


def test_a_direct_url_alone_is_the_database_of_requests_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("DIRECT_DATABASE_URL=postgresql://db/app\n")
    for name in ("DATABASE_URL", "DIRECT_DATABASE_URL"):
        monkeypatch.delenv(name)

    with alone(), development_environment("127.0.0.1", 0) as values:
        assert values["DATABASE_URL"] == "postgresql://db/app"


def test_a_secret_that_found_no_room_on_the_disk_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SECRET_KEY", raising=False)
    (tmp_path / ".dev").mkdir()
    (tmp_path / ".dev/secret_key").touch()

    with development_environment("127.0.0.1", 0) as values:
        assert len(values["SECRET_KEY"]) > 32
