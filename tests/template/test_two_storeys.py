"""Across release 0.4.0, which moved what was in `app` to `app` and `groundwork`: what owners of 0.3.0 had goes on working."""

import ast
from pathlib import Path

import pytest
from conftest import Generate, present_or_skipped

from combinations import AXES, DEFAULTS, TEMPLATE
from merging import engine
from old_owners import (
    EDITED,
    add_a_feature,
    add_files,
    change_the_style,
    delete_features,
    edit_modules,
    tidy,
)
from run_folder import RunFolder
from services import url_of
from suite import prove
from updating import THEIRS, commit, files, in_doubt, old_service, tagged_releases, update, without_git

pytestmark = pytest.mark.slow
DEFAULT = {axis: DEFAULTS[axis] for axis in AXES}
# Names of 0.3.0 that no owner needs any more, and nothing stands for.
GONE = {
    "app.jobs.endings.NOTICE",
    "app.jobs.many.run_many",
    "app.jobs.relay.publish_due",
    "app.jobs.running.JobSession",
    "app.security.mailed_secret",
}


@pytest.fixture
def template(run_folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> Path:
    return tagged_releases(run_folder, monkeypatch)


@pytest.fixture
def service(template: Path, tmp_path: Path) -> Path:
    return old_service(template, tmp_path / "service", DEFAULT, "0.3.0")


def exported(module: Path) -> set[str]:
    """The names in the `__all__` of a module."""
    assigned = [node for node in ast.parse(module.read_text()).body if isinstance(node, ast.Assign)]
    values = [node.value for node in assigned if ast.unparse(node.targets[0]) == "__all__"]
    return {name for value in values for name in ast.literal_eval(value)}


def test_every_name_that_could_be_imported_has_its_place(service: Path, generate: Generate) -> None:
    tables = [
        engine("table").Table.parse(file.read_text(), file.name)
        for file in sorted((TEMPLATE / "hooks/migrations").glob("*.toml"))
    ]
    fresh = generate()
    lost = set()
    for file in (service / "src").rglob("*.py"):
        old = ".".join(file.relative_to(service / "src").with_suffix("").parts).removesuffix(".__init__")
        for name in exported(file):
            module, new = old, name
            for table in tables:
                module, new = table.imported(module, new)
            place = fresh / "src" / module.replace(".", "/")
            at = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
            if not at.exists() or new not in exported(at):
                lost.add(f"{old}.{name}")

    assert lost == GONE


def test_a_feature_files_and_edits_of_an_owner_go_on_working(service: Path, run_folder: RunFolder) -> None:
    add_a_feature(service)
    add_files(service)
    edit_modules(service)
    tidy(service)
    commit(service)

    merged = update(service)

    assert in_doubt(service) == []
    now = files(service)
    for name in EDITED.values():
        assert "# Ours.\n" in now[name]
        assert "def ours() -> None: ..." in now[name]
    assert not set(EDITED) & now.keys()
    # What an owner put into a package of the groundwork is theirs, and stays.
    assert {"src/app/jobs/weekly.py", "src/app/accounts/avatars.py"} <= now.keys()
    assert "src/app/accounts/mail/reminder/body.txt" in now
    assert "exec uv run python -m groundwork.jobs.relay" in now["scripts/relay.sh"]
    rewritten = {(mention.old, mention.new) for mention in merged.moved.mentions["tests/test_tickets.py"]}
    assert ("app.mail.provider", "groundwork.mail.provider") in rewritten

    with present_or_skipped():
        url_of(run_folder, "postgresql")
        url_of(run_folder, "redis")
    failure = prove(run_folder, without_git(service), DEFAULT)
    assert failure is None, f"{failure.remedy}\n{failure.output}"


def test_what_was_deleted_stays_deleted(service: Path) -> None:
    delete_features(service)
    commit(service)

    merged = update(service)

    assert set(in_doubt(service)) == {"src/app/main.py", "tests/test_permissions.py"}
    assert not [name for name in files(service) if name.startswith(("src/app/reports", "src/app/web", "src/app/admin"))]
    assert "src/app/admin/views.py" in merged.decided.missing


def test_a_service_in_another_style_is_as_a_fresh_copy_in_that_style(service: Path, generate: Generate) -> None:
    change_the_style(service)
    commit(service)

    update(service)

    assert in_doubt(service) == []
    fresh = generate()
    change_the_style(fresh)
    here, there = files(service), files(fresh)
    assert {name for name in here | there if here.get(name) != there.get(name)} <= {THEIRS}
