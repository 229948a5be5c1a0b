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
