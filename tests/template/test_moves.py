"""What an update does to the files of a service when a release moves modules: paths, imports and names, by its table."""

from typing import Any

import pytest

from merging import engine

TABLE = """
[paths]
"src/app/jobs" = "src/groundwork/jobs"
"src/app/mail" = "src/groundwork/mail"
"src/app/db.py" = "src/groundwork/data/engine.py"
"src/app/log.py" = "src/groundwork/http/log.py"
"src/app/users/models.py" = "src/app/accounts/models.py"
"src/app/sign_ins/models.py" = "src/app/accounts/models.py"

[modules]
"app.jobs.runner" = "groundwork.jobs.running"

[names]
"app.jobs.enqueue.enqueue" = "groundwork.jobs.enqueue"
"app.jobs.enqueue.Job" = "groundwork.jobs.JobRow"
"app.security.hash_password" = "app.accounts.passwords.hash_password"
"app.security.sign_token" = "groundwork.http.tokens.sign_token"
"""
OWN = "src/app/own/routes.py"


def moved(texts: dict[str, str], *tables: str) -> Any:
    """The engine's answer for these files: their texts, and what it tells about them."""
    parsed = [engine("table").Table.parse(table, "0.4.0.toml") for table in tables or (TABLE,)]
    file = engine("files").File
    files = {name: file("100644", text.encode()) for name, text in texts.items()}
    return engine("moves").Moves(parsed, files).apply(files)


def texts_of(result: Any) -> dict[str, str]:
    return {name: file.data.decode() for name, file in result.files.items()}


def rewritten(text: str, name: str = OWN) -> str:
    (new,) = texts_of(moved({name: text})).values()
    return new


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import app.jobs.enqueue\n", "import groundwork.jobs.enqueue\n"),
        ("import app.jobs.enqueue as e, os\n", "import groundwork.jobs.enqueue as e, os\n"),
        ("from app.jobs import enqueue\n", "from groundwork.jobs import enqueue\n"),
        ("from app.jobs.models import *\n", "from groundwork.jobs.models import *\n"),
        ("from app import jobs\n", "from groundwork import jobs\n"),
        ("from app import db\n", "from groundwork.data import engine as db\n"),
        ("from app import db as d\n", "from groundwork.data import engine as d\n"),
        ("from app.jobs import runner\n", "from groundwork.jobs import running as runner\n"),
        ("from app import jobs, settings\n", "from groundwork import jobs\nfrom app import settings\n"),
        ("from app.jobs.enqueue import enqueue as e\n", "from groundwork.jobs import enqueue as e\n"),
        ("from app.jobs.enqueue import Job\n", "from groundwork.jobs import JobRow as Job\n"),
        ("from app.jobs.enqueue import Job as JobRow\n", "from groundwork.jobs import JobRow\n"),
        (
            "from app.jobs.enqueue import enqueue, other\n",
            "from groundwork.jobs import enqueue\nfrom groundwork.jobs.enqueue import other\n",
        ),
        (
            "from app.security import hash_password, sign_token\n",
            "from app.accounts.passwords import hash_password\nfrom groundwork.http.tokens import sign_token\n",
        ),
        ("from .. import jobs\n", "from groundwork import jobs\n"),
        ("from ..jobs.enqueue import enqueue\n", "from groundwork.jobs import enqueue\n"),
        ("from..jobs import(models)\n", "from groundwork.jobs import(models)\n"),
        ("from . import x\nfrom .x import y\n", "from . import x\nfrom .x import y\n"),
        ("from app.own import x\nfrom app.jobsite import y\n", "from app.own import x\nfrom app.jobsite import y\n"),
    ],
)
def test_imports_of_every_form_follow_what_moved(before: str, after: str) -> None:
    assert rewritten(before) == after


def test_an_import_keeps_its_comments_brackets_and_place() -> None:
    before = """
if TYPE_CHECKING:
    from app.jobs.models import (  # rows
        Job,  # the one
        # and its states
        Status,
    )


def run() -> None:
    from app.jobs.enqueue import (
        # how to ask
        enqueue,  # for a job of app.jobs
        other,
    )
    import os; from app import db, settings
    from app.jobs \\
        import models
"""

    after = rewritten(before)

    assert after == before.replace("from app.jobs.models", "from groundwork.jobs.models").replace(
        """    from app.jobs.enqueue import (
        # how to ask
        enqueue,  # for a job of app.jobs
        other,
    )
""",
        """    from groundwork.jobs import (
        # how to ask
        enqueue,  # for a job of groundwork.jobs
    )
    from groundwork.jobs.enqueue import other
""",
    ).replace(
        "from app import db, settings", "from groundwork.data import engine as db; from app import settings"
    ).replace("from app.jobs \\", "from groundwork.jobs \\")


def test_a_file_in_a_moved_folder_moves_along_and_its_relative_imports_still_mean_the_same() -> None:
    text = "from . import models\nfrom .models import Job\nfrom ..settings import API\nfrom ..db import engine\n"

    result = texts_of(moved({"src/app/jobs/own.py": text}))

    expected = "from . import models\nfrom .models import Job\nfrom app.settings import API\n"
    assert result == {"src/groundwork/jobs/own.py": f"{expected}from groundwork.data.engine import engine\n"}


def test_names_in_code_follow_where_the_module_was_imported_and_nowhere_else() -> None:
    imported = "import app.jobs.models\n\n\ndef f(x: app.jobs.models.Job = app.jobs.models.NONE) -> None: ...\n"
    variable = "app = create_app()\napp.jobs.models.do()\napp.log.setup()\n"

    assert rewritten(imported) == imported.replace("app.jobs", "groundwork.jobs")
    assert rewritten(variable) == variable


def test_a_name_in_code_that_nothing_imports_any_more_is_told() -> None:
    result = moved({OWN: "import app\n\napp.jobs.models.do()\n"})

    assert texts_of(result)[OWN] == "import app\n\ngroundwork.jobs.models.do()\n"
    assert result.unsolved[OWN] == ["`groundwork.jobs.models.do` is named, and not imported"]


def test_names_in_strings_and_comments_follow_and_are_told() -> None:
    text = """
from app.jobs.models import Job  # see app.jobs.models

mock.patch("app.jobs.enqueue.engine")
f"{Job} of app.mail, {'app.mail.render'!r} at {app.mail}"
file = Path('src/app/mail/templates')
"""

    result = moved({OWN: text})

    assert (
        texts_of(result)[OWN]
        == """
from groundwork.jobs.models import Job  # see groundwork.jobs.models

mock.patch("groundwork.jobs.enqueue.engine")
f"{Job} of groundwork.mail, {'groundwork.mail.render'!r} at {groundwork.mail}"
file = Path('src/groundwork/mail/templates')
"""
    )
    told = [(each.old, each.new) for each in result.mentions[OWN]]
    assert ("app.jobs", "groundwork.jobs") in told
    assert ("src/app/mail", "src/groundwork/mail") in told


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("exec python -m app.jobs.relay\n", "exec python -m groundwork.jobs.relay\n"),
        ('python -c "from app.db import engine"\n', 'python -c "from groundwork.data.engine import engine"\n'),
        ("python -m app.db\n", "python -m groundwork.data.engine\n"),
        ("COPY ./src/app/mail/x /srv/src/app/mail/x\n", "COPY ./src/groundwork/mail/x /srv/src/groundwork/mail/x\n"),
        ("task: app.jobs.tasks.purge\n", "task: groundwork.jobs.tasks.purge\n"),
        ("`app.security.sign_token`\n", "`groundwork.http.tokens.sign_token`\n"),
        ("src/app/db.py and src/app/jobs.\n", "src/groundwork/data/engine.py and src/groundwork/jobs.\n"),
    ],
)
def test_names_and_paths_in_any_text_follow(before: str, after: str) -> None:
    assert rewritten(before, "scripts/run.sh") == after


@pytest.mark.parametrize(
    "text",
    [
        "https://app.mail.example.com/x and app.jobs.example.com\n",
        "https://example.org/x/blob/main/src/app/jobs/enqueue.py\n",
        "ada@app.mail, app.jobs-old, my.app.jobs, app.jobsite, ../other/src/app/jobs\n",
        "src/app/jobs.py src/app/jobsite src/app/db.pyc\n",
        "tail -f app.log; sqlite3 app.db\n",
    ],
)
def test_what_only_looks_like_a_name_stays(text: str) -> None:
    assert rewritten(text, "notes.txt") == text


def test_a_name_that_may_be_a_file_is_told() -> None:
    result = moved({"run.sh": "tail -f app.log\n"})

    assert [(each.old, each.new) for each in result.mentions["run.sh"]] == [("app.log", None)]


def test_an_import_of_a_module_that_was_split_is_told() -> None:
    result = moved({OWN: "import app.security\nfrom app import security\n"})

    assert texts_of(result)[OWN] == "import app.security\nfrom app import security\n"
    assert result.unsolved[OWN] == [
        "`import app.security`: `app.security` was split into app.accounts.passwords and groundwork.http.tokens",
        "`from app import security`: `app.security` was split into app.accounts.passwords and groundwork.http.tokens",
    ]


def test_several_files_become_one_in_the_order_of_the_table() -> None:
    files = {"src/app/sign_ins/models.py": "class SignIn: ...", "src/app/users/models.py": "class User: ...\n"}

    result = texts_of(moved(files))

    assert result == {"src/app/accounts/models.py": "class User: ...\n\n\nclass SignIn: ...\n"}


@pytest.mark.parametrize("there", ["src/groundwork/jobs/models.py", "src/app/accounts/models.py"])
def test_a_file_that_moves_replaces_no_other(there: str) -> None:
    files = {"src/app/jobs/models.py": "", "src/app/users/models.py": "", there: "OURS = 1\n"}

    with pytest.raises(
        engine("git").Refused, match=f"to `{there}`, where only one file can be; rename `{there}`, commit,"
    ):
        moved(files)


def test_the_tables_of_several_releases_follow_each_other() -> None:
    second = '[paths]\n"src/groundwork/jobs/enqueue.py" = "src/groundwork/jobs/asking.py"\n'
    files = {"src/app/jobs/enqueue.py": "", OWN: "from app.jobs.enqueue import other\n", "run": "app.jobs.enqueue\n"}

    result = moved(files, TABLE, second)

    assert texts_of(result) == {
        "src/groundwork/jobs/asking.py": "",
        OWN: "from groundwork.jobs.asking import other\n",
        "run": "groundwork.jobs.asking\n",
    }
    assert result.sources["src/groundwork/jobs/asking.py"] == ["src/app/jobs/enqueue.py"]


def test_quotes_line_ends_marks_and_encodings_stay() -> None:
    file = engine("files").File
    files = {
        OWN: file("100755", "\ufeffx = 'app.jobs'\r\nfrom app import jobs, settings\r\n".encode()),
        "müsli und mehr.txt": file("100644", "für app.jobs\n".encode("latin-1")),
        "logo.png": file("100644", b"\0app.jobs"),
        "src/app/jobs/größer als.txt": file("100644", b"x"),
    }
    table = engine("table").Table.parse(TABLE, "0.4.0.toml")

    result = engine("moves").Moves([table], files).apply(files).files

    text = "\ufeffx = 'groundwork.jobs'\r\nfrom groundwork import jobs\r\nfrom app import settings\r\n"
    assert result[OWN] == file("100755", text.encode())
    assert result["müsli und mehr.txt"].data == "für groundwork.jobs\n".encode("latin-1")
    assert result["logo.png"] == files["logo.png"]
    assert result["src/groundwork/jobs/größer als.txt"].data == b"x"


def test_what_is_no_python_is_searched_for_names_alone() -> None:
    result = moved({OWN: "print 'app.jobs'\nfrom app.jobs import x\n"})

    assert texts_of(result)[OWN] == "print 'groundwork.jobs'\nfrom groundwork.jobs import x\n"
    assert result.unsolved[OWN] == ["Python cannot read this file; only names were rewritten"]


def test_a_link_leads_to_where_its_target_moved() -> None:
    file = engine("files").File
    files = {
        "src/app/mail/render.py": file("100644"),
        "shortcut": file("120000", b"src/app/mail/render.py"),
        "src/app/db.py": file("120000", b"../../shared/db.py"),
        "src/app/mail/own": file("120000", b"../../../../outside"),
    }
    table = engine("table").Table.parse(TABLE, "0.4.0.toml")

    result = engine("moves").Moves([table], files).apply(files).files

    assert result["shortcut"].data == b"src/groundwork/mail/render.py"
    assert result["src/groundwork/data/engine.py"].data == b"../../../shared/db.py"
    assert result["src/groundwork/mail/own"].data == b"../../../../outside"


def test_behind_a_linked_folder_whose_files_move_apart_each_part_has_its_link() -> None:
    file = engine("files").File
    files = {
        "src/app/mail/templates": file("120000", b"../../../themes/mail"),
        "themes/mail/verify/body.txt": file("100644"),
        "themes/mail/layout.html": file("100644"),
    }
    apart = (
        '[paths]\n"src/app/mail" = "src/groundwork/mail"\n"src/app/mail/templates/verify" = "src/app/accounts/verify"\n'
    )
    table = engine("table").Table.parse(apart, "0.4.0.toml")

    result = engine("moves").Moves([table], files).apply(files).files

    assert result["src/groundwork/mail/templates"].data == b"../../../themes/mail"
    assert result["src/app/accounts/verify"].data == b"../../../themes/mail/verify"
    links = engine("links").find(result, {"src/app/accounts/verify/body.txt": file("100644")})
    assert links.inside == {"src/app/accounts/verify": "themes/mail/verify"}


def test_a_table_of_a_later_kind_is_refused_with_the_way_to_the_new_command() -> None:
    with pytest.raises(engine("git").Refused, match=r"0\.4\.0\.toml of the template has a section `classes`.*--trust"):
        moved({}, "[classes]\n")


def test_a_module_of_the_owner_stays_beside_single_files_that_move() -> None:
    table = '[paths]\n"src/app/jobs/__init__.py" = "src/groundwork/jobs/__init__.py"\n'
    texts = {
        "src/app/jobs/__init__.py": "",
        "src/app/jobs/own.py": "from app.jobs import enqueue\n",
        OWN: "from app.jobs import enqueue, own\nfrom app.jobs.own import task\n",
    }

    assert texts_of(moved(texts, table)) == {
        "src/groundwork/jobs/__init__.py": "",
        "src/app/jobs/own.py": "from groundwork.jobs import enqueue\n",
        OWN: "from groundwork.jobs import enqueue\nfrom app.jobs import own\nfrom app.jobs.own import task\n",
    }


def test_a_split_module_is_named_and_only_its_names_move() -> None:
    table = """
[paths]
"src/app/security.py" = "src/groundwork/tokens.py"

[modules]
"app.security" = ""

[names]
"app.security.hash_password" = "app.passwords.hash_password"
"""
    result = moved({OWN: "import app.security\nfrom app.security import hash_password\n"}, table)

    assert texts_of(result)[OWN] == "import app.security\nfrom app.passwords import hash_password\n"
    assert result.unsolved[OWN] == ["`import app.security`: `app.security` was split into app.passwords"]
