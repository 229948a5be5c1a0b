"""What a coming release may do to services of today: add lines above the anchors, add tables, rename files, be in doubt."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import present_or_skipped
from copier.errors import UnsafeTemplateError

from combinations import AXES, DEFAULTS
from next_releases import ADDITIONS, NEW, NEXT, OLD, RENAMING, make
from releases import git
from run_folder import RunFolder
from services import made_database, url_of
from suite import execute, place
from their_edits import edit
from updating import (
    HERE,
    commit,
    files,
    in_doubt,
    old_service,
    plain_update,
    tagged_releases,
    update,
    use_checkouts,
    without_git,
)

pytestmark = pytest.mark.slow
DEFAULT = {axis: DEFAULTS[axis] for axis in AXES}


@pytest.fixture
def template(run_folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The releases there are, and two that are to come."""
    here = tagged_releases(run_folder, monkeypatch)
    template = Path(run_folder.shared("next-releases-made", lambda: str(make(here))))
    use_checkouts(template, monkeypatch)
    return template


@pytest.fixture
def service(template: Path, tmp_path: Path) -> Path:
    """A service of today's template."""
    return old_service(template, tmp_path / "service", DEFAULT, HERE)


def test_lines_on_both_sides_of_an_anchor_do_not_collide(template: Path, service: Path) -> None:
    lines = edit(service)
    commit(service)

    update(service, NEXT)

    assert in_doubt(service) == []
    now = files(service)
    for name, (anchor, text) in ADDITIONS.items():
        kept = now[name.removesuffix(".jinja")]
        assert f"\n{text}\n{anchor}" in kept
        assert all(line in kept for line in lines.get(name.removesuffix(".jinja"), []))


def test_migrations_of_both_run_and_the_next_one_follows_both(
    template: Path, service: Path, run_folder: RunFolder
) -> None:
    edit(service)
    commit(service)
    update(service, NEXT)
    # The column of this release has no migration: it is about the anchor.
    model = service / "src/app/accounts/models.py"
    model.write_text(model.read_text().replace("    colour: Mapped[str | None]\n", ""))
    main = service / "src/app/main.py"
    main.write_text(main.read_text().replace("    api.include_router(colours.router)\n", ""))
    git("rm", "--quiet", "--cached", "uv.lock", cwd=service)
    (service / "uv.lock").unlink()
    with present_or_skipped():
        url_of(run_folder, "postgresql")

    here = place()
    project = here.put(without_git(service))
    with made_database(run_folder) as url:
        variables = {"DATABASE_URL": url, "BROKER_URL": "memory://", "SECRET_KEY": "x" * 32, "ENVIRONMENT": "test"}
        words = """uv run app migrate
            uv run alembic revision --message 'by hand'
            uv run app migrate
            uv run alembic revision --autogenerate --message 'by comparison'
            uv run app migrate && uv run alembic check && uv run alembic heads"""
        output = execute("bash", "-ec", words, cwd=project, **here.environment(sys.executable), **variables)

    assert "The tables are at 0099, a1b2c3d4e5f6, the newest." in output
    by_hand, compared = (
        next((project / "migrations/versions").glob(f"*_{name}.py")).read_text()
        for name in ("by_hand", "by_comparison")
    )
    parents = next(line for line in by_hand.splitlines() if line.startswith("down_revision"))
    assert '"0099"' in parents
    assert '"a1b2c3d4e5f6"' in parents
    # Nothing is missing and nothing is left over.
    assert compared.count("pass") == 2
    assert output.count("(head)") == 1


def test_the_same_line_changed_twice_is_shown_and_there_is_a_way_through(template: Path, service: Path) -> None:
    dockerfile = service / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("EXPOSE 8000", "EXPOSE 9000"))
    commit(service)

    command = [sys.executable, "-m", "copier", "update", "--defaults", "--vcs-ref", NEXT]
    done = subprocess.run(command, cwd=service, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "git ls-files --unmerged" in done.stderr
    assert in_doubt(service) == ["Dockerfile"]
    assert "Dockerfile" in git("ls-files", "--unmerged", cwd=service)
    both = dockerfile.read_text()
    assert "<<<<<<< before updating\nEXPOSE 9000\n=======\nEXPOSE 8080\n>>>>>>> after updating\n" in both
    for side, port in {"--theirs": 8080, "--ours": 9000}.items():
        git("checkout", side, "Dockerfile", cwd=service)
        assert f"\nEXPOSE {port}\n" in dockerfile.read_text()
        assert "<<<<" not in dockerfile.read_text()
    git("add", "Dockerfile", cwd=service)
    assert in_doubt(service) == []


def test_what_people_did_survives_a_release_that_renames(template: Path, service: Path) -> None:
    lines = edit(service)
    with (service / OLD).open("a") as file:
        file.write("OURS = 1\n")
    commit(service)

    update(service, RENAMING)

    assert in_doubt(service) == []
    now = files(service)
    assert {name for name, theirs in lines.items() if not set(theirs) <= set(now[name].split("\n"))} == set()
    assert now[NEW] == (template / "template" / NEW).read_text() + "OURS = 1\n"
    assert not (service / OLD).exists()
    assert not (service / "src/app/reports").exists()


def test_only_such_a_release_makes_a_plain_copier_update_ask_for_trust(template: Path, service: Path) -> None:
    plain_update(service, NEXT)
    commit(service)
    with pytest.raises(UnsafeTemplateError, match="--trust"):
        plain_update(service, RENAMING)
    untouched = git("status", "--porcelain", cwd=service)
    plain_update(service, RENAMING, trusted=True)

    assert untouched == ""
    assert in_doubt(service) == []
    assert (service / NEW).read_text() == (template / "template" / NEW).read_text()


def test_a_renamed_file_can_be_in_doubt_too(template: Path, service: Path) -> None:
    file = service / OLD
    file.write_text("# Changed here.\n" + file.read_text())
    commit(service)

    update(service, RENAMING)

    assert in_doubt(service) == [NEW]
    git("checkout", "--ours", NEW, cwd=service)
    assert (service / NEW).read_text().startswith("# Changed here.\n")
    git("checkout", "--theirs", NEW, cwd=service)
    assert (service / NEW).read_text() == (template / "template" / NEW).read_text()
