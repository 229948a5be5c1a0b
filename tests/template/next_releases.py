"""Two releases that are to come: one adds where people add too, and changes a line; the other renames a file as well."""

import re
from pathlib import Path

from releases import git
from updating import HERE, check_out, release

__all__ = ["ADDITIONS", "NEW", "NEXT", "OLD", "RENAMING", "make"]

NEXT, RENAMING = "1001.0.0", "1002.0.0"
OLD, NEW = "src/app/accounts/passwords.py", "src/app/secrets/hashing.py"
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

from groundwork.data import Base


class Colour(Base):
    __tablename__ = "colours"

    name: Mapped[str] = mapped_column(primary_key=True)
"""
# What the template adds right above its anchors.
ADDITIONS = {
    "src/app/main.py": ("    # New features go here.", "    api.include_router(colours.router)"),
    "src/app/schedule.py": (
        "    # New entries go here",
        '    Entry("purge colours", housekeeping, crontab(hour="5")),',
    ),
    "src/app/settings.py.jinja": ("    # Your own settings go", '    colour: str = "red"\n'),
    "src/app/accounts/models.py": ("    # Your own columns go", "    colour: Mapped[str | None]\n"),
    "pyproject.toml.jinja": ("    # Your own dependencies go", '    "typing-extensions>=4",'),
    ".env.example.jinja": ("# Your own settings go", "COLOUR=red"),
    ".gitignore.jinja": ("# Your own entries go", "/colours/"),
    "compose.yaml.jinja": ("  # Your own services go", "  colours:\n    image: postgres:18\n"),
    "src/app/cli.py": ("# Your own commands go", "# Colours.\n"),
}


def make(here: Path) -> Path:
    """A clone of that one, with both."""
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
    (folder / f"hooks/migrations/{RENAMING}.toml").write_text(f'[paths]\n"{OLD}" = "{NEW}"\n')
    questions = folder / "copier.yml"
    entry, found = re.subn(r"(?<=  - version: )[\d.]+$", RENAMING, questions.read_text(), flags=re.MULTILINE)
    assert found == 1
    questions.write_text(entry)
    release(folder, RENAMING)
    check_out(folder, HERE, NEXT, RENAMING)
    return folder
