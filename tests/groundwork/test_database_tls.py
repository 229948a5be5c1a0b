"""With `sslrootcert=system` a database is believed that has a certificate which the system trusts, and no other."""

import ssl
from pathlib import Path
from typing import Any

import psycopg
import pytest
from broker_servers import Authority, listening

from groundwork.settings import SettingsInvalid, get_settings
from groundwork.testing import SetVariable


class System:
    """Trusts one authority, or none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def trusts(self, file: Path | None) -> None:
        changed: dict[str, Any] = {"cafile": file and str(file), "capath": None}
        paths = ssl.get_default_verify_paths()._replace(**changed)
        self._monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    # Both are set to be unset again after the test.
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return System(monkeypatch)


def test_the_certificates_of_the_system_are_found(tmp_path: Path, set_variable: SetVariable, system: System) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    system.trusts(ours.certificate)
    said = []
    for authority in (ours, theirs):
        with listening(authority.server("IP:127.0.0.1"), postgres=True) as server:
            set_variable("DATABASE_URL", f"postgresql://ada@127.0.0.1:{server.port}/app?sslrootcert=system")
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(**get_settings().database_arguments)
        said.append(server.said)

    assert b"ada" in said[0][0]
    assert said[1] == []


def test_a_system_without_certificates_is_said(set_variable: SetVariable, system: System) -> None:
    system.trusts(None)
    set_variable("DATABASE_URL", "postgresql://ada@db/app?sslrootcert=system")

    with pytest.raises(SettingsInvalid, match="this system has no certificates; install ca-certificates"):
        get_settings()
