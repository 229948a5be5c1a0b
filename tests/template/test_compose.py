"""compose.yaml: nobody is more than they need to be, and nobody comes in without a password."""

import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
import yaml
from conftest import Generate, present_or_skipped

from private_servers import POSTGRES_PLACES, postgresql_server, redis_server
from run_folder import RunFolder

PASSWORD = "Of43Letters"


def composed(project: Path) -> dict[str, Any]:
    """As Compose reads it, with the variables of `.env`."""
    text = (project / "compose.yaml").read_text()
    for name in ("POSTGRES_PASSWORD", "SECRET_KEY"):
        text = text.replace(f"${{{name}:?set it in .env}}", PASSWORD)
    return dict(yaml.safe_load(text.replace("$$", "$")))


def test_the_role_of_the_service_owns_its_database_and_is_no_superuser(
    generate: Generate, run_folder: RunFolder, tmp_path: Path
) -> None:
    service = composed(generate())
    postgres, script = service["services"]["postgres"], tmp_path / "role.sql"
    script.write_text(service["configs"]["database-role"]["content"])
    with present_or_skipped():
        server = postgresql_server(run_folder)
        server.start(run_folder)
    url = urlsplit(server.url)._replace(path=f"/{postgres['environment']['POSTGRES_DB']}").geturl()
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE app")
        connection.execute("ALTER ROLE postgres PASSWORD 'of the image'")

    # As the image does it once, with the password of its environment.
    paths = os.pathsep.join([*POSTGRES_PLACES, os.environ["PATH"]])
    words = ["psql", "-v", "ON_ERROR_STOP=1", "--no-psqlrc", "-q", "-f", str(script), url]
    subprocess.run(words, env={"PATH": paths, "POSTGRES_PASSWORD": PASSWORD}, check=True)

    with psycopg.connect(url) as connection:
        roles = connection.execute(
            "SELECT rolname, rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls, rolpassword IS NULL"
            " FROM pg_authid WHERE rolcanlogin ORDER BY 1"
        ).fetchall()
    assert roles == [("app", False, False), ("postgres", True, True)]
    given = service["services"]["migrate"]["environment"]["DATABASE_URL"]
    assert given == f"postgresql://app:{PASSWORD}@postgres/app"
    with psycopg.connect(url.replace("postgres@", "app@")) as connection:
        connection.execute("CREATE TABLE of_the_service (id int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("COPY of_the_service FROM PROGRAM 'echo 1'")


def test_redis_answers_nobody_without_the_password(generate: Generate, run_folder: RunFolder) -> None:
    service = composed(generate(broker="redis"))["services"]
    _, *options = service["broker"]["command"]
    with present_or_skipped():
        server = redis_server(run_folder)
        program, *words = server.words
        replace(server, words=[program, *words, *options]).start(run_folder)
    port = urlsplit(server.url).port

    with pytest.raises(redis.AuthenticationError), redis.Redis(port=port or 0) as stranger:
        stranger.ping()
    ours = service["worker"]["environment"]["BROKER_URL"].replace("broker:6379", f"127.0.0.1:{port}")
    with redis.Redis.from_url(ours) as client:
        assert client.ping()
    looks = shlex.join([*service["broker"]["healthcheck"]["test"][1:2], "-p", str(port), "ping"])
    answer = subprocess.run(
        shlex.split(looks), env=os.environ | service["broker"]["environment"], capture_output=True, text=True
    )
    assert answer.stdout == "PONG\n"
