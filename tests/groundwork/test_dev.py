from pathlib import Path

import pytest
from support import run

from groundwork.tools.dev_environment import alone, development_environment


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


def test_a_direct_url_alone_is_the_database_of_requests_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("DIRECT_DATABASE_URL=postgresql://db/app\n")
    for name in ("DATABASE_URL", "DIRECT_DATABASE_URL"):
        monkeypatch.delenv(name)

    with alone(), development_environment("127.0.0.1", 0) as values:
        assert values["DATABASE_URL"] == "postgresql://db/app"
