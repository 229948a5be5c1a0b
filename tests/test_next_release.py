"""What a coming release may do to services of today: add lines above the anchors, add tables, rename files, be in doubt."""

import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from copier.errors import UnsafeTemplateError

from combinations import AXES, DEFAULTS
from conftest import present_or_skipped
from releases import git
from run_folder import RunFolder
from services import database, url_of
from suite import execute, place
from their_edits import edit
from updating import HERE, checkout, commit, files, in_doubt, old_service, release, tagged_releases, update

# It adds, and changes one line; the one after it renames a file as well.
NEXT, RENAMING = "1001.0.0", "1002.0.0"
pytestmark = pytest.mark.slow
DEFAULT = {axis: DEFAULTS[axis] for axis in AXES}
OLD, NEW = "src/app/client.py", "src/app/http_client/caller.py"
MIGRATION = '''"""Colours"""

import sqlalchemy as sa
from alembic import op

revision: str = "0099"
down_revision: str | None = "{newest}"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table("colours", sa.Column("name", sa.String(), primary_key=True))


def downgrade() -> None:
    op.drop_table("colours")
'''
MODEL = """from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base


class Colour(Base):
    __tablename__ = "colours"

    name: Mapped[str] = mapped_column(primary_key=True)
"""
ENTRY = f"""
_migrations:
  - version: {RENAMING}
    when: "{{{{ _stage == 'after' }}}}"
    command: ["{{{{ _copier_python }}}}", "{{{{ _copier_conf.src_path }}}}/hooks/migrations/move.py", {OLD}, {NEW}]
"""
# What the template adds right above its anchors.
ADDITIONS = {
    "src/app/main.py": ("    # New features go here.", "    api.include_router(colours.router)"),
    "src/app/schedule.py": ("    # New entries go here", '    Entry("purge colours", purge_jobs, crontab(hour="5")),'),
    "src/app/settings.py.jinja": ("    # Your own settings go", '    colour: str = "red"\n'),
    "src/app/users/models.py": ("    # Your own columns go", "    colour: Mapped[str | None]\n"),
    "pyproject.toml.jinja": ("    # Your own dependencies go", '    "typing-extensions>=4",'),
    ".env.example.jinja": ("# Your own settings go", "COLOUR=red"),
    ".gitignore.jinja": ("# Your own entries go", "/colours/"),
    "compose.yaml.jinja": ("  # Your own services go", "  colours:\n    image: postgres:18\n"),
    "src/app/cli.py": ("# Your own commands go", "# Colours.\n"),
}


@pytest.fixture
def template(run_folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The releases there are, and two that are to come."""
    here = tagged_releases(run_folder, monkeypatch)

    def make() -> str:
        folder = here.with_name("next-releases")
        git("clone", "--quiet", str(here), str(folder), cwd=here)
        for name, (anchor, text) in ADDITIONS.items():
            file = folder / "template" / name
            before = file.read_text()
            assert before.count(f"\n{anchor}") == 1, name
            file.write_text(before.replace(f"\n{anchor}", f"\n{text}\n{anchor}"))
        versions = folder / "template/migrations/versions"
        newest = max(path.name for path in versions.glob("[0-9][0-9][0-9][0-9]_*.py"))[:4]
        (versions / "0099_colours.py").write_text(MIGRATION.format(newest=newest))
        (folder / "template/src/app/colours").mkdir()
        (folder / "template/src/app/colours/__init__.py").touch()
        (folder / "template/src/app/colours/models.py").write_text(MODEL)
        dockerfile = folder / "template/Dockerfile"
        dockerfile.write_text(dockerfile.read_text().replace("EXPOSE 8000", "EXPOSE 8080"))
        release(folder, NEXT)
        (folder / "template" / NEW).parent.mkdir()
        git("mv", f"template/{OLD}", f"template/{NEW}", cwd=folder)
        renamed = folder / "template" / NEW
        renamed.write_text("# Renamed, and changed.\n" + renamed.read_text())
        with (folder / "copier.yml").open("a") as questions:
            questions.write(ENTRY)
        release(folder, RENAMING)
        for version in (HERE, NEXT, RENAMING):
            checkout(folder, version)
        return str(folder)

    return Path(run_folder.shared("next-releases-made", make))


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
    model = service / "src/app/users/models.py"
    model.write_text(model.read_text().replace("    colour: Mapped[str | None]\n", ""))
    main = service / "src/app/main.py"
    main.write_text(main.read_text().replace("    api.include_router(colours.router)\n", ""))
    git("rm", "--quiet", "--cached", "uv.lock", cwd=service)
    (service / "uv.lock").unlink()
    with present_or_skipped():
        server = url_of(run_folder, "postgresql")

    here = place()
    project = here.put(without_git(service))
    with database(run_folder) as url, psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{url.rpartition("/")[2]}"'.encode())
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


def without_git(service: Path) -> Path:
    shutil.rmtree(service / ".git")
    return service


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


@pytest.mark.parametrize("edit_of_ours", ["", "OURS = 1\n"], ids=["untouched", "edited"])
def test_a_renamed_file_takes_its_owners_edits_along_and_only_that_release_needs_trust(
    template: Path, service: Path, edit_of_ours: str
) -> None:
    with (service / OLD).open("a") as file:
        file.write(edit_of_ours)
    git("commit", "--quiet", "--all", "--allow-empty", "--message", "Ours", cwd=service)

    with pytest.raises(UnsafeTemplateError, match="--trust"):
        update(service, RENAMING)
    untouched = git("status", "--porcelain", cwd=service)
    update(service, RENAMING, trusted=True)

    assert untouched == ""
    assert in_doubt(service) == []
    new = (service / NEW).read_text()
    assert new == (template / "template" / NEW).read_text() + edit_of_ours
    assert new.startswith("# Renamed, and changed.\n")
    assert not (service / OLD).exists()
    commit(service)
    # The next one asks for nothing.
    update(service, RENAMING)


def test_a_renamed_file_can_be_in_doubt_too(template: Path, service: Path) -> None:
    file = service / OLD
    file.write_text("# Changed here.\n" + file.read_text())
    commit(service)

    update(service, RENAMING, trusted=True)

    assert in_doubt(service) == [NEW]
    git("checkout", "--ours", NEW, cwd=service)
    assert (service / NEW).read_text().startswith("# Changed here.\n")
    git("checkout", "--theirs", NEW, cwd=service)
    assert (service / NEW).read_text() == (template / "template" / NEW).read_text()


def test_a_file_that_its_owner_deleted_is_not_brought_back_by_its_new_name(template: Path, service: Path) -> None:
    (service / OLD).unlink()
    commit(service)

    update(service, RENAMING, trusted=True)

    assert not (service / OLD).exists()
    assert not (service / NEW).exists()
