import socket
from pathlib import Path

import pytest
from live_server import serving
from support import run

from groundwork.settings import SettingsInvalid
from groundwork.testing import SetVariable
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
        assert dev.answers(f"{url}/health/ready")
