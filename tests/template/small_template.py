"""A small template with three releases, in the shape of the real one: the second moves most modules, the third some of them again.

Its services need no package and import everything that they have, so that a name that an update forgot fails at once.
"""

import re
from pathlib import Path

from releases import git
from suite import execute

__all__ = ["DEFAULTS", "FIRST", "MOVED_TWICE", "SECOND", "THIRD", "make"]

FIRST, SECOND, THIRD = "0.1.0", "0.2.0", "0.3.0"
QUESTIONS = """
project_name: {type: str, default: My Service, validator: "{% if not project_name %}It is empty.{% endif %}"}
broker: {type: str, choices: {Redis: redis, RabbitMQ: rabbitmq}, default: redis}
email_provider: {type: str, choices: [outbox, http], default: outbox}
ci: {type: str, choices: [github, none], default: github}
slug: {type: str, default: my-service, when: false}
_subdirectory: template
_skip_if_exists: [README.md]
"""
DEFAULTS = {"project_name": "My Service", "broker": "redis", "email_provider": "outbox", "ci": "github"}
MIGRATION = """_migrations:
  - version: 0.2.0
    when: true
    command: ["{{ _copier_python }}", "{{ _copier_conf.src_path }}/hooks/migrations/merge.py"]
"""
NOTES = {
    FIRST: "The first.\n",
    SECOND: """- Most modules move.
- `broker=rabbitmq`: only with RabbitMQ.
- `ci=github, broker=redis|rabbitmq`: for everybody on GitHub.
""",
    THIRD: "Names again.\n",
}
FILES = {
    "README.md.jinja": "# {{ project_name }}\n\nMade by the template.\n",
    "{{ _copier_conf.answers_file }}.jinja": "# Written by Copier.\n{{ _copier_answers | to_nice_yaml -}}\n",
    ".gitignore": ".venv/\n__pycache__/\n.dev/\n.env\n",
    ".gitattributes": "* text=auto eol=lf\n",
    "pyproject.toml.jinja": """[project]
name = "{{ slug }}"
dependencies = [
    "alembic",
    # Your own dependencies go below this line.
]

[tool.ruff]
line-length = 120
src = ["src"]

[tool.ruff.lint]
select = ["E", "F", "I"]

[tool.ruff.lint.per-file-ignores]
"src/app/jobs/relay.py" = ["E501"]
""",
    "Dockerfile.jinja": "FROM python:3.13\nEXPOSE 8000\nENV BROKER={{ broker }}\nCMD python -m app.main\n",
    "docs/guide.md": "# Guide\n\n`app.jobs.enqueue` is in `src/app/jobs/enqueue.py`.\n",
    "scripts/relay.sh": "#!/bin/sh\nexec python -m app.jobs.relay\n",
    "{% if ci == 'github' %}.github{% endif %}/workflows/ci.yml": "on: push\njobs: {}\n",
    "src/app/__init__.py": "",
    "src/app/settings.py": 'API = "/api/v1"\n\n\ndef get_settings() -> dict[str, str]:\n    return {"api": API}\n',
    "src/app/db.py": 'class Base:\n    pass\n\n\ndef engine() -> str:\n    return "engine"\n',
    "src/app/session.py": "from app.db import engine\n\n\ndef open_session() -> list[object]:\n    return [engine()]\n",
    "src/app/errors.py": "class NotFound(Exception):\n    pass\n",
    "src/app/log.py": 'def configure(level: str = "INFO") -> str:\n    return level\n',
    "src/app/security.py": """from app.settings import get_settings


def hash_password(password: str) -> str:
    return password[::-1] + get_settings()["api"]


def sign_token(name: str) -> str:
    return f"signed {name}"
""",
    "src/app/jobs/__init__.py": '"""Durable jobs."""\n',
    "src/app/jobs/models.py": """from app.db import Base


class Job(Base):
    task: str = ""
""",
    "src/app/jobs/enqueue.py": """from app.db import engine
from app.jobs.models import Job
from app.session import open_session
from app.settings import get_settings


def enqueue(session: list[object], task: str) -> Job:
    job = Job()
    job.task = task
    session.append(job)
    return job


def enqueue_once(session: list[object], task: str, key: str) -> Job:
    return enqueue(session, f"{task}:{key}")


def ready() -> bool:
    return bool(engine() and open_session() and get_settings())
""",
    "src/app/jobs/relay.py": """from app.jobs.models import Job
from app.log import configure


def relay(job: Job) -> str:
    return f"{configure()} {job.task}"
""",
    "src/app/mail/__init__.py": '"""Mail."""\n',
    "src/app/mail/render.py": """from pathlib import Path

from app.errors import NotFound

TEMPLATES = Path(__file__).parent / "templates"


def render(name: str) -> str:
    file = TEMPLATES / name / "body.txt"
    if not file.exists():
        raise NotFound(name)
    return file.read_text()
""",
    "src/app/mail/{% if email_provider == 'http' %}http.py{% endif %}": "TIMEOUT = 10\nRETRIES = 3\n",
    "src/app/mail/templates/layout.html": "<main>\n<!-- body -->\n</main>\n",
    "src/app/mail/templates/verify/body.txt": "Hello,\n\nplease verify your address.\n\nYours,\nthe service\n",
    "src/app/mail/templates/welcome/body.txt": "Hello,\n\nwelcome.\n",
    "src/app/users/__init__.py": '"""People."""\n',
    "src/app/users/models.py": """from app.db import Base


class User(Base):
    email: str = ""
    # Your own columns go below this line.
""",
    "src/app/users/service.py": """from app.errors import NotFound
from app.jobs.enqueue import enqueue
from app.security import hash_password
from app.users.models import User


def register(email: str, password: str) -> User:
    if not email:
        raise NotFound(email)
    user = User()
    user.email = email + hash_password(password)
    enqueue([], "welcome")
    return user
""",
    "src/app/sign_ins/__init__.py": '"""Devices."""\n',
    "src/app/sign_ins/models.py": """from app.db import Base
from app.users.models import User


class SignIn(Base):
    user: User | None = None
""",
    "src/app/sign_ins/service.py": """from app.security import sign_token
from app.sign_ins.models import SignIn
from app.users.models import User


def sign_in(user: User) -> str:
    device = SignIn()
    device.user = user
    return sign_token(user.email)
""",
    "src/app/reports/__init__.py": '"""The sample."""\n',
    "src/app/reports/routes.py": """from app.errors import NotFound
from app.jobs.enqueue import enqueue, enqueue_once
from app.users.models import User


def ask(user: User) -> str:
    if not user.email:
        raise NotFound("nobody")
    return enqueue([], "report").task + enqueue_once([], "report", "key").task
""",
    "src/app/web/__init__.py": '"""The page."""\n',
    "src/app/web/index.html": "<p>Page</p>\n",
    "src/app/web/routes.py": 'from app.errors import NotFound\n\n\ndef page() -> str:\n    raise NotFound("page")\n',
    "src/app/admin/__init__.py": "from app.users.models import User\n\nVIEWS = [User]\n",
    "src/app/legacy.py": "OLD = 1\n",
    "src/app/main.py": """import app.jobs.relay
from app import db, security
from app.admin import VIEWS
from app.mail.render import render
from app.reports import routes as reports
from app.sign_ins.service import sign_in
from app.users.service import register
from app.web import routes as web


def create() -> list[object]:
    routes: list[object] = [register, sign_in, render, VIEWS, app.jobs.relay.relay, db.engine, security.sign_token]
    routes.append(reports.ask)
    routes.append(web.page)
    # New features go here.
    return routes


if __name__ == "__main__":
    create()
""",
    "tests/test_jobs.py": """from unittest import mock

from app.jobs.enqueue import ready


def test_it_is_ready_with_an_engine() -> None:
    with mock.patch("app.jobs.enqueue.engine", return_value=""):
        assert not ready()
""",
}
# What the second release moves: the table that it has, and the names that its own author replaced.
TABLE = """
[paths]
"src/app/jobs" = "src/groundwork/jobs"
"src/app/mail" = "src/groundwork/mail"
"src/app/db.py" = "src/groundwork/data/engine.py"
"src/app/session.py" = "src/groundwork/data/session.py"
"src/app/errors.py" = "src/groundwork/http/errors.py"
"src/app/log.py" = "src/groundwork/http/log.py"
"src/app/security.py" = "src/app/accounts/passwords.py"
"src/app/users" = "src/app/accounts"
"src/app/users/service.py" = "src/app/accounts/users.py"
"src/app/sign_ins/service.py" = "src/app/accounts/sign_ins.py"
"src/app/users/models.py" = "src/app/accounts/models.py"
"src/app/sign_ins/models.py" = "src/app/accounts/models.py"

[names]
"app.security.sign_token" = "groundwork.http.tokens.sign_token"
"""
REPLACED = {
    "app.security import sign_token": "groundwork.http.tokens import sign_token",
    "app.security": "app.accounts.passwords",
    "app.users.service": "app.accounts.users",
    "app.sign_ins.service": "app.accounts.sign_ins",
    "app.sign_ins": "app.accounts",
    "app.users": "app.accounts",
    **{f"app.{name}": f"groundwork.{name}" for name in ("jobs", "mail")},
    **{f"src/app/{name}": f"src/groundwork/{name}" for name in ("jobs", "mail")},
    **{f"app.{name}": f"groundwork.http.{name}" for name in ("errors", "log")},
    "app.db": "groundwork.data.engine",
    "app.session": "groundwork.data.session",
    "from app import db, security": "from groundwork.data import engine as db\nfrom groundwork.http import tokens as security",
}
# And what it changes beside that.
CHANGED = {
    "pyproject.toml.jinja": ('"alembic"', '"alembic>=1.20"'),
    "Dockerfile.jinja": ("EXPOSE 8000", "EXPOSE 8080"),
    "src/app/jobs/enqueue.py": ("    job.task = task\n", "    job.task = task.strip()\n"),
    "src/app/mail/templates/verify/body.txt": ("please verify", "please confirm"),
    "src/app/mail/{% if email_provider == 'http' %}http.py{% endif %}": ("TIMEOUT = 10", "TIMEOUT = 20"),
    "src/app/reports/routes.py": ('"nobody"', '"no one"'),
    "src/app/settings.py": ('"/api/v1"', '"/api/v2"'),
}
TOKENS = 'def sign_token(name: str) -> str:\n    return f"signed {name}"\n'
MOVED_TWICE = {
    "src/groundwork/jobs/enqueue.py": "src/groundwork/jobs/asking.py",
    "src/app/accounts/users.py": "src/app/accounts/people.py",
}


def make(folder: Path, hook: Path, engine: Path) -> Path:
    """A repository with the three releases, tagged; `hook` and `engine` are the ones under test."""
    git("init", "--quiet", str(folder), cwd=folder.parent)
    _write(folder, FILES | {"../copier.yml": QUESTIONS})
    (folder / "template/scripts/relay.sh").chmod(0o755)
    _release(folder, FIRST)

    for name in FILES:
        (folder / "template" / name).unlink()
    second = _second()
    _write(folder, second | {"../copier.yml": QUESTIONS + MIGRATION, "../hooks/migrations/0.2.0.toml": TABLE})
    (folder / "template/scripts/relay.sh").chmod(0o755)
    (folder / "hooks/migrations/merge.py").write_text(
        hook.read_text().replace('CHECKOUT / "template/src"', f'Path("{engine}")')
    )
    ruff = ["--quiet", "--no-cache", "--config", 'src=["src"]', "--config", "line-length=120", "--isolated", "."]
    execute("ruff", "check", "--select", "I", "--fix", *ruff, cwd=folder / "template")
    execute("ruff", "format", *ruff, cwd=folder / "template")
    _release(folder, SECOND)

    third = "\n".join(f'"{old}" = "{new}"' for old, new in MOVED_TWICE.items())
    _write(folder, {"../hooks/migrations/0.3.0.toml": f"[paths]\n{third}\n"})
    for file in (folder / "template").rglob("*.*"):
        text = file.read_text() if file.is_file() else ""
        for old, new in {
            "jobs.enqueue": "jobs.asking",
            "accounts.users": "accounts.people",
            "jobs/enqueue": "jobs/asking",
        }.items():
            text = text.replace(old, new)
        if file.is_file():
            file.write_text(text)
    for old, new in MOVED_TWICE.items():
        (folder / "template" / old).rename(folder / "template" / new)
    execute("ruff", "check", "--select", "I", "--fix", *ruff, cwd=folder / "template")
    _release(folder, THIRD)
    # One file to clone in place of a hundred.
    git("gc", "--quiet", cwd=folder)
    return folder


def _second() -> dict[str, str]:
    """The files of the second release, without the engine under test."""
    texts = {name: text for name, text in FILES.items() if name != "src/app/legacy.py"}
    for name, (old, new) in CHANGED.items():
        assert old in texts[name], name
        texts[name] = texts[name].replace(old, new)
    words = re.compile("|".join(rf"\b{re.escape(old)}\b" for old in sorted(REPLACED, key=len, reverse=True)))
    texts = {name: words.sub(lambda found: REPLACED[found[0]], text) for name, text in texts.items()}
    models = [texts.pop(f"src/app/{name}/models.py") for name in ("users", "sign_ins")]
    texts["src/app/accounts/models.py"] = models[0] + "\n\n" + models[1].partition("\n\n\n")[2]
    passwords, _, _ = texts.pop("src/app/security.py").partition("\n\ndef sign_token")
    texts["src/app/accounts/passwords.py"] = passwords
    texts["src/groundwork/http/tokens.py"] = TOKENS
    texts["src/app/web/style.css"] = "p { color: red }\n"
    texts["src/app/accounts/users.py"] = texts.pop("src/app/users/service.py")
    texts["src/app/accounts/sign_ins.py"] = texts.pop("src/app/sign_ins/service.py")
    texts["src/app/accounts/__init__.py"] = texts.pop("src/app/users/__init__.py")
    del texts["src/app/sign_ins/__init__.py"]
    for name in ("db", "session", "errors", "log"):
        place = {"db": "data/engine", "session": "data/session"}.get(name, f"http/{name}")
        texts[f"src/groundwork/{place}.py"] = texts.pop(f"src/app/{name}.py")
    texts |= {f"src/groundwork/{name}__init__.py": "" for name in ("", "data/", "http/")}
    moved = re.compile(r"^src/app/(?=jobs|mail)")
    return {moved.sub("src/groundwork/", name): text for name, text in texts.items()}


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / "template" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _release(folder: Path, version: str) -> None:
    notes = [f"## {each}\n\n{text}\n" for each, text in NOTES.items() if each <= version]
    (folder / "CHANGELOG.md").write_text("# Changelog\n\n" + "".join(reversed(notes)))
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--message", version, cwd=folder)
    git("tag", version, cwd=folder)
