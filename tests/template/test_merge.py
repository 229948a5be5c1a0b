"""Updates of services by the merge of `app template update`, with real git and real Copier: what owners did is kept, or shown.

The small template's second release moves most modules; see small_template.py. `../docs/updating.md` is the promise.
"""

import os
import sys
from pathlib import Path

import pytest

from merging import Workshop, append, commit, files, remove, replace, said, unmerged, update, write
from releases import git
from small_template import MOVED_TWICE, SECOND, THIRD
from suite import execute

pytestmark = pytest.mark.slow
ANSWERS = ".copier-answers.yml"
OTHERS = {"broker": "rabbitmq", "email_provider": "http"}


def runs(service: Path) -> None:
    """Each module that the service has can be imported with all that it names, and its tests pass."""
    modules = [path.relative_to(service / "src").with_suffix("") for path in (service / "src").rglob("*.py")]
    names = [".".join(module.parts).removesuffix(".__init__") for module in modules]
    run = [
        sys.executable,
        "-B",
        "-c",
        f"import {', '.join(sorted(names))}; import test_jobs; test_jobs.test_it_is_ready_with_an_engine()",
    ]
    path = os.pathsep.join([str(service / "src"), str(service / "tests")])
    execute(*run, cwd=service, PYTHONPATH=path)


def assert_fresh(service: Path, fresh: Path, *but: str) -> None:
    """Nothing is in doubt, and all but these files are as in a fresh copy."""
    here, there = files(service), files(fresh)
    assert unmerged(service) == set()
    assert {name for name in {*here, *there} if here.get(name) != there.get(name)} == set(but)


# What becomes of edits.


@pytest.mark.parametrize("answers", [{}, OTHERS], ids=["default", "others"])
def test_an_untouched_service_becomes_exactly_a_fresh_copy(workshop: Workshop, answers: dict[str, str]) -> None:
    service = workshop.service(**answers)
    (service / "README.md").write_text("# Ours\n")
    commit(service)

    merged = update(service)

    assert_fresh(service, workshop.fresh(**answers), "README.md")
    assert git("status", "--porcelain", "--untracked-files", cwd=service).count("\n?") == 0
    assert (
        said(service, merged)
        == "Dropped by the template, and gone:\n  src/app/legacy.py\n  src/app/sign_ins/__init__.py\n"
    )


def test_edits_in_moved_files_move_along(workshop: Workshop, service: Path) -> None:
    edited = [
        "jobs/models",
        "jobs/enqueue",
        "jobs/relay",
        "mail/render",
        "db",
        "session",
        "errors",
        "log",
        "users/service",
    ]
    append(
        service, *(f"src/app/{name}.py" for name in edited), "src/app/mail/templates/verify/body.txt", "docs/guide.md"
    )
    replace(service, "src/app/users/models.py", "this line.\n", "this line.\n    nickname: str = ''\n")
    replace(service, "src/app/sign_ins/models.py", "None = None\n", "None = None\n    device: str = ''\n")
    commit(service)

    update(service)

    here, there = files(service), files(workshop.fresh())
    assert unmerged(service) == set()
    places = {"db": "data/engine", "session": "data/session", "errors": "http/errors", "log": "http/log"}
    for name in edited:
        new = "src/app/accounts/users.py" if name == "users/service" else f"src/groundwork/{places.get(name, name)}.py"
        assert here.pop(new)[0] == there.pop(new)[0] + b"\n\nOURS = 'here'\n"
    models = "src/app/accounts/models.py"
    text = there.pop(models)[0].decode().replace("this line.\n", "this line.\n    nickname: str = ''\n")
    assert here.pop(models)[0].decode() == text.replace("None = None\n", "None = None\n    device: str = ''\n")
    assert here.pop("src/groundwork/mail/templates/verify/body.txt")[0].decode() == (
        "Hello,\n\nplease confirm your address.\n\nYours,\nthe service\nours\n"
    )
    assert here.pop("docs/guide.md")[0].endswith(b"ours\n")
    assert {name for name in here if here[name] != there.get(name)} == set()
    runs(service)


def test_a_feature_of_the_owner_follows_what_it_imports_in_every_form(service: Path) -> None:
    write(
        service,
        {
            "src/app/invoices/__init__.py": "from . import routes\nfrom .. import jobs as j\n",
            "src/app/invoices/routes.py": """import app.mail.render as r
import app.jobs.relay

from typing import TYPE_CHECKING

from app import db, settings
from app.jobs import enqueue
from app.jobs.enqueue import (
    enqueue_once,  # asks once
)
from app.security import hash_password, sign_token as sign
from ..users.models import User

if TYPE_CHECKING:
    from app.sign_ins.models import SignIn


def make(user: User) -> 'list[object]':
    from app.errors import NotFound
    return [app.jobs.relay.relay, enqueue.enqueue, enqueue_once, sign, hash_password, NotFound, r.render, db, settings]
""",
            "src/app/jobs/invoices.py": "from . import enqueue\nfrom .models import Job\nfrom ..settings import API\n",
            "tests/test_invoices.py": """from unittest import mock

with mock.patch('app.jobs.enqueue.engine'), mock.patch("app.mail.render.TEMPLATES"):
    import app.invoices.routes
""",
            "scripts/own script.sh": "python -m app.jobs.relay  # in src/app/jobs\n",
        },
    )
    (service / "scripts/own script.sh").chmod(0o755)
    commit(service)

    merged = update(service)

    assert unmerged(service) == set()
    routes = (service / "src/app/invoices/routes.py").read_text()
    # Its owner does not sort imports, and uses single quotes.
    assert (
        routes
        == """import groundwork.mail.render as r
import groundwork.jobs.relay

from typing import TYPE_CHECKING

from groundwork.data import engine as db
from app import settings
from groundwork.jobs import enqueue
from groundwork.jobs.enqueue import (
    enqueue_once,  # asks once
)
from app.accounts.passwords import hash_password
from groundwork.http.tokens import sign_token as sign
from ..accounts.models import User

if TYPE_CHECKING:
    from app.accounts.models import SignIn


def make(user: User) -> 'list[object]':
    from groundwork.http.errors import NotFound
    return [groundwork.jobs.relay.relay, enqueue.enqueue, enqueue_once, sign, hash_password, NotFound, r.render, db, settings]
""".replace("from ..accounts.models", "from app.accounts.models")
    )
    assert (service / "src/groundwork/jobs/invoices.py").exists()
    assert os.access(service / "scripts/own script.sh", os.X_OK)
    runs(service)
    execute(sys.executable, "-B", "tests/test_invoices.py", cwd=service, PYTHONPATH=str(service / "src"))
    # Nothing is rewritten in silence.
    assert said(service, merged).startswith("""Names that were rewritten in strings and in files that are not Python:
  scripts/own script.sh:1: app.jobs -> groundwork.jobs
  scripts/own script.sh:1: src/app/jobs -> src/groundwork/jobs
  tests/test_invoices.py:3: app.jobs -> groundwork.jobs
  tests/test_invoices.py:3: app.mail -> groundwork.mail
""")


def test_sorted_imports_stay_sorted_and_long_lines_wrapped(service: Path) -> None:
    write(
        service,
        {
            "src/app/own.py": """from app.errors import NotFound
from app.jobs.relay import relay
from app.settings import API
from app.users.models import User

print(NotFound, relay, API, User)
""",
            "src/app/long.py": "from app.session import open_session as a_name_that_is_nearly_as_long_as_a_line_may_be_in_this_style_of_the_template\n"
            "\nprint(a_name_that_is_nearly_as_long_as_a_line_may_be_in_this_style_of_the_template)\n",
        },
    )
    commit(service)

    update(service)

    execute("ruff", "check", "--no-cache", cwd=service)
    execute("ruff", "format", "--check", "--no-cache", cwd=service)
    assert (service / "src/app/own.py").read_text().splitlines()[:2] == [
        "from app.accounts.models import User",
        "from app.settings import API",
    ]


def test_what_the_owner_deleted_stays_deleted_and_is_told_where_the_template_changed_it(
    workshop: Workshop, service: Path
) -> None:
    remove(service, "README.md", "src/app/reports", "src/app/web", "src/app/admin", "src/app/mail/templates/welcome")
    for line in ("from app.admin import VIEWS\n", "from app.reports import routes as reports\n", ", VIEWS"):
        replace(service, "src/app/main.py", line, "")
    replace(service, "src/app/main.py", "from app.web import routes as web\n", "")
    replace(service, "src/app/main.py", "    routes.append(reports.ask)\n    routes.append(web.page)\n", "")
    commit(service)

    merged = update(service)

    gone = {
        name for name in files(workshop.fresh()) if name.startswith(("src/app/reports", "src/app/web", "src/app/admin"))
    }
    welcome = "src/groundwork/mail/templates/welcome/body.txt"
    assert not (service / "README.md").exists()
    assert unmerged(service) == set()
    assert not {*gone, welcome, "README.md"} & files(service).keys()
    # Its imports were rewritten by the release alone, which is no change of the template's.
    # A file that is new in a folder that they deleted too.
    assert "they do not come back:\n  src/app/reports/routes.py\n  src/app/web/style.css\n\n" in said(service, merged)
    runs(service)


def test_a_service_in_its_owners_style_gets_the_release_in_that_style(service: Path) -> None:
    replace(
        service, "pyproject.toml", "line-length = 120", "line-length = 88\n\n[tool.ruff.format]\nquote-style = 'single'"
    )
    replace(service, "pyproject.toml", 'src = ["src"]\n', "")
    replace(service, "pyproject.toml", "[tool.ruff]\n", '[tool.ruff]\nsrc = ["src"]\n')
    append(service, "src/app/jobs/enqueue.py", "src/app/users/service.py")
    execute("ruff", "format", "--no-cache", cwd=service)
    commit(service)

    update(service)

    assert unmerged(service) == set()
    execute("ruff", "format", "--check", "--no-cache", cwd=service)
    execute("ruff", "check", "--no-cache", cwd=service)
    text = (service / "src/groundwork/jobs/enqueue.py").read_text()
    assert "f'{task}:{key}'" in text
    assert "job.task = task.strip()" in text
    assert text.endswith("\nOURS = 'here'\n")
    # New files too.
    assert "f'signed {name}'" in (service / "src/groundwork/http/tokens.py").read_text()
    runs(service)


def test_another_setting_alone_reformats_nothing(workshop: Workshop, service: Path) -> None:
    replace(service, "pyproject.toml", "line-length = 120", "line-length = 100")
    append(service, "src/app/jobs/enqueue.py")
    commit(service)

    update(service)

    assert_fresh(service, workshop.fresh(), "pyproject.toml", "src/groundwork/jobs/enqueue.py")


def test_crlf_of_the_owner_stays(service: Path) -> None:
    remove(service, ".gitattributes")
    name = "src/app/jobs/enqueue.py"
    (service / name).write_bytes((service / name).read_bytes().replace(b"\n", b"\r\n") + b"OURS = 1\r\n")
    commit(service)

    update(service)

    text = (service / "src/groundwork/jobs/enqueue.py").read_bytes()
    assert unmerged(service) == set()
    assert text.count(b"\n") == text.count(b"\r\n")
    assert b"from groundwork.jobs.models" in text
    assert b"task.strip()" in text
    assert text.endswith(b"OURS = 1\r\n")


def test_two_releases_at_once_move_twice(workshop: Workshop, service: Path) -> None:
    append(service, "src/app/jobs/enqueue.py", "src/app/users/service.py")
    write(service, {"src/app/own.py": "from app.jobs.enqueue import enqueue\nfrom app.users import service\n"})
    commit(service)

    update(service, to=THIRD)

    assert_fresh(service, workshop.fresh(THIRD), *MOVED_TWICE.values(), "src/app/own.py")
    text = (service / "src/app/own.py").read_text()
    assert text == "from app.accounts import people as service\nfrom groundwork.jobs.asking import enqueue\n"
    runs(service)


def test_the_next_update_begins_where_this_one_ended(workshop: Workshop, service: Path) -> None:
    append(service, "src/app/jobs/enqueue.py")
    commit(service)
    update(service)
    commit(service)

    update(service, to=THIRD)

    assert_fresh(service, workshop.fresh(THIRD), "src/groundwork/jobs/asking.py")
    assert git("diff", "--cached", "--name-only", "--diff-filter=U", cwd=service) == ""


# What is in doubt.


def test_the_same_lines_are_shown_and_git_knows_both_sides(service: Path) -> None:
    replace(service, "Dockerfile", "EXPOSE 8000", "EXPOSE 9000")
    replace(service, "src/app/jobs/enqueue.py", "job.task = task\n", "job.task = task.lower()\n")
    commit(service)

    merged = update(service)

    moved = "src/groundwork/jobs/enqueue.py"
    assert unmerged(service) == {"Dockerfile", moved}
    both = (service / "Dockerfile").read_text()
    assert "<<<<<<< before updating\nEXPOSE 9000\n=======\nEXPOSE 8080\n>>>>>>> after updating\n" in both
    assert f"changed the same lines:\n  Dockerfile\n  {moved}\n" in said(service, merged)
    for side, line in {"--theirs": "task.strip()", "--ours": "task.lower()"}.items():
        git("checkout", side, moved, cwd=service)
        assert line in (service / moved).read_text()
    git("add", ".", cwd=service)
    assert unmerged(service) == set()


def test_an_edited_file_that_another_answer_does_not_have_is_in_doubt(workshop: Workshop) -> None:
    service = workshop.service(**OTHERS)
    http, ci = "src/groundwork/mail/http.py", ".github/workflows/ci.yml"
    replace(service, "src/app/mail/http.py", "RETRIES = 3", "RETRIES = 5")
    append(service, ci)
    commit(service)

    merged = update(service, "email_provider=outbox", "ci=none")

    assert unmerged(service) == {http, ci}
    assert "RETRIES = 5" in (service / http).read_text()
    assert f"you edited them, and the template dropped them:\n  {ci}\n  {http}\n" in said(service, merged)
    assert "email_provider: outbox" in (service / ANSWERS).read_text()


def test_an_unedited_file_that_another_answer_does_not_have_goes_and_is_told(workshop: Workshop) -> None:
    service = workshop.service(SECOND, **OTHERS)

    merged = update(service, "email_provider=outbox", "ci=none")

    assert_fresh(service, workshop.fresh(broker="rabbitmq", email_provider="outbox", ci="none"))
    gone = "  .github/workflows/ci.yml\n  src/groundwork/mail/http.py\n"
    assert said(service, merged) == f"Dropped by the template, and gone:\n{gone}"


def test_a_file_that_both_added_is_in_doubt(service: Path) -> None:
    write(service, {"src/groundwork/http/tokens.py": "TOKENS = 'ours'\n"})
    commit(service)

    update(service)

    assert unmerged(service) == {"src/groundwork/http/tokens.py"}


def test_a_copy_of_a_deleted_sample_is_no_new_name_of_it(service: Path) -> None:
    git("mv", "src/app/reports", "src/app/invoices", cwd=service)
    commit(service)

    update(service)

    assert unmerged(service) == set()
    assert '"nobody"' in (service / "src/app/invoices/routes.py").read_text()
    assert not (service / "src/app/reports").exists()


# Where the service lies, and what lies in it.


def test_in_a_monorepo_everything_outside_of_the_service_stays(workshop: Workshop) -> None:
    top = workshop.folder / "monorepo"
    top.mkdir()
    git("init", "--quiet", cwd=top)
    write(
        top, {"pyproject.toml": '[tool.uv.workspace]\nmembers = ["services/*"]\n', "other/kept.py": "import app.jobs\n"}
    )
    service = workshop.fresh("0.1.0", "monorepo/services/api")
    append(service, "src/app/jobs/enqueue.py")
    replace(service, "src/app/db.py", '"engine"', '"ours"')
    commit(top)
    write(top, {"other/kept.py": "dirty\n", "other/staged.py": "staged\n", "other/new.py": "new\n"})
    git("add", "other/staged.py", cwd=top)
    before = {name: file for name, file in files(top).items() if not name.startswith("services/")}

    update(service)

    assert {name: file for name, file in files(top).items() if not name.startswith("services/")} == before
    assert git("status", "--porcelain", "--", "other", cwd=top).splitlines() == [
        "M other/kept.py",
        "A  other/staged.py",
        "?? other/new.py",
    ]
    names = ("src/groundwork/jobs/enqueue.py", "src/groundwork/data/engine.py")
    assert_fresh(service, workshop.fresh(), *names)
    runs(service)


def test_a_linked_folder_in_the_service_gets_the_templates_changes(service: Path) -> None:
    (service / "themes").mkdir()
    git("mv", "src/app/mail/templates", "themes/mail", cwd=service)
    (service / "src/app/mail/templates").symlink_to("../../../themes/mail")
    append(service, "themes/mail/verify/body.txt")
    commit(service)

    update(service)

    link = service / "src/groundwork/mail/templates"
    assert unmerged(service) == set()
    assert link.readlink() == Path("../../../themes/mail")
    assert (link / "verify/body.txt").read_text() == (
        "Hello,\n\nplease confirm your address.\n\nYours,\nthe service\nours\n"
    )
    runs(service)


def test_a_linked_folder_elsewhere_stays_and_what_changed_behind_it_is_told(workshop: Workshop, service: Path) -> None:
    elsewhere = workshop.folder / "themes"
    (service / "src/app/mail/templates").rename(elsewhere)
    (service / "src/app/mail/templates").symlink_to("../../../../themes")
    commit(service)
    before = files(elsewhere)

    merged = update(service)

    assert files(elsewhere) == before
    assert (service / "src/groundwork/mail/templates").resolve() == elsewhere
    behind = "Behind a link that leaves the service, and changed by the template; they stay as they are:"
    assert f"{behind}\n  src/groundwork/mail/templates/verify/body.txt\n\n" in said(service, merged)


def test_a_file_that_git_ignores_here_stays_and_is_told(service: Path) -> None:
    git("rm", "--quiet", "--cached", "Dockerfile", cwd=service)
    write(service, {".git/ignored": "Dockerfile\n"})
    commit(service)
    before = (service / "Dockerfile").read_text()

    merged = update(service)

    assert (service / "Dockerfile").read_text() == before
    assert "Ignored by git here, and changed by the template; they stay as they are:\n  Dockerfile\n" in said(
        service, merged
    )


def test_generated_folders_stay_and_no_bytecode_keeps_an_old_package_alive(service: Path) -> None:
    for name in (
        ".venv/x.py",
        ".dev/app.jobs",
        "src/app/jobs/__pycache__/enqueue.pyc",
        "src/app/__pycache__/db.pyc",
        ".env",
    ):
        write(service, {name: "import app.jobs\n"})

    update(service)

    for name in (".venv/x.py", ".dev/app.jobs", "src/app/__pycache__/db.pyc", ".env"):
        assert (service / name).read_text() == "import app.jobs\n"
    assert not (service / "src/app/jobs").exists()
