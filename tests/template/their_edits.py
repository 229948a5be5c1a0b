"""What people do to a service, as its guide tells them: what an update has to keep."""

import re
from pathlib import Path

from suite import execute

# The feature that they copy from the sample, under another name.
NAMES = {"reports": "invoices", "Reports": "Invoices", "report": "invoice", "Report": "Invoice"}
MIGRATION = '''"""Invoices instead of reports, and nicknames"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "a1b2c3d4e5f6"
down_revision: str | None = "{newest}"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("users", sa.Column("nickname", sa.String(), nullable=True))
    op.create_table(
        "invoices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("signups", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="invoices_pkey"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="invoices_owner_id_fkey", ondelete="CASCADE"),
    )
    op.create_index("invoices_owner_id_idx", "invoices", ["owner_id"])
    op.drop_table("reports")


def downgrade() -> None:
    op.create_table("reports", sa.Column("id", sa.Uuid(), nullable=False))
    op.drop_table("invoices")
    op.drop_column("users", "nickname")
'''
# Below which line each addition goes; a release before the anchor has another line there.
ADDITIONS = {
    "src/app/settings.py": (["# Your own settings go", "    mail_timeout: float"], '    invoice_prefix: str = "I-"'),
    "pyproject.toml": (["# Your own dependencies go"], '    "anyio>=4.0",'),
    ".env.example": (["# Your own settings go"], "INVOICE_PREFIX=I-"),
    ".gitignore": (["# Your own entries go"], "/data/"),
    "compose.yaml": (
        ["# Your own services go"],
        "  metrics:\n    image: prom/prometheus:v3.5.0\n    volumes: [metrics:/prometheus]",
    ),
}
COLUMN = (["# Your own columns go", "    deactivated_at: "], "    nickname: Mapped[str | None]")
ENTRY = '    Entry("purge twice", {}, crontab(hour="15", minute="30")),'
BEFORE_GROUNDWORK = {
    "src/app/schedule.py": (["# New entries go here"], ENTRY.format("purge_jobs")),
    "src/app/users/models.py": COLUMN,
}
IN_GROUNDWORK = {
    "src/app/schedule.py": (["# New entries go here"], ENTRY.format("housekeeping")),
    "src/app/accounts/models.py": COLUMN,
}
ADDED_FILES = {
    "README.md": "# Invoices\n\nWritten by us alone.\n",
    "uv.lock": "version = 1\n",
    ".env": "SECRET_KEY=ours\n",
    "docs/invoices.md": "# Invoices\n",
}
DELETED = {
    *(f"src/app/reports/{name}.py" for name in ("__init__", "models", "routes", "schemas", "service", "tasks")),
    "tests/test_reports.py",
}


def edit(project: Path) -> dict[str, list[str]]:
    """Make all of them; returns the lines that each file has because of it, in the order of the file."""
    before = {path: path.read_text() for path in project.rglob("*") if path.is_file() and ".git" not in path.parts}
    # Before release 0.4.0 everything was in `app`.
    old = not (project / "src/groundwork").exists()
    _copy_and_remove_the_sample(project)
    edit_main(project / "src/app/main.py")
    edit_permissions(project / f"tests/test_{'authorization' if old else 'permissions'}.py")
    for name, (anchors, text) in (ADDITIONS | (BEFORE_GROUNDWORK if old else IN_GROUNDWORK)).items():
        _add_below(project / name, anchors, text)
    with (project / "compose.yaml").open("a") as compose:
        compose.write("  metrics:\n")
    newest = max(path.name for path in (project / "migrations/versions").glob("[0-9][0-9][0-9][0-9]_*.py"))[:4]
    (project / "migrations/versions/20270101_invoices.py").write_text(MIGRATION.format(newest=newest))
    for name, text in ADDED_FILES.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)
    # As the guide says at the end.
    execute("ruff", "check", "--quiet", "--fix", "--no-cache", ".", cwd=project)
    execute("ruff", "format", "--quiet", "--no-cache", ".", cwd=project)
    added: dict[str, list[str]] = {}
    for path in sorted(project.rglob("*")):
        if path.is_file() and ".git" not in path.parts and path.read_text() != before.get(path):
            known = set(before.get(path, "").split("\n"))
            lines = [line for line in path.read_text().split("\n") if line not in known]
            added[path.relative_to(project).as_posix()] = lines
    return added


def _add_below(file: Path, anchors: list[str], text: str) -> None:
    lines = file.read_text().split("\n")
    place = next(number for anchor in anchors for number, line in enumerate(lines) if anchor in line)
    file.write_text("\n".join([*lines[: place + 1], text, *lines[place + 1 :]]))


def edit_main(file: Path) -> None:
    """Their router below the anchors, and none of the sample's."""
    file.write_text(re.sub(r".*\breports\b.*\n", "", file.read_text()))
    _add_below(file, ["# Imports of your own routers"], "from app.invoices import routes as invoices")
    _add_below(file, ["# New features go here."], "    api.include_router(invoices.router)")


def edit_permissions(file: Path) -> None:
    """Their rows below the anchor, and none of the sample's."""
    lines, table = [], ""
    rows: dict[str, str] = {}
    for line in file.read_text().split("\n"):
        table = line.partition(":")[0].partition(" ")[0] if line[:1].isupper() else table
        if re.match(r'    "[^"]*report', line):
            rows[table] = rows.get(table, "") + _renamed(line) + "\n"
        elif line == f"{table} |= {{}}" and table in rows:
            lines.append(f"{table} |= {{\n{rows[table]}}}")
        else:
            lines.append(_renamed(line))
    file.write_text("\n".join(lines))


def _copy_and_remove_the_sample(project: Path) -> None:
    reports = [*(project / "src/app/reports").glob("*.py"), project / "tests/test_reports.py"]
    for old in reports:
        new = Path(_renamed(str(old.relative_to(project))))
        (project / new).parent.mkdir(exist_ok=True)
        (project / new).write_text(_renamed(old.read_text()))
        old.unlink()
    (project / "src/app/reports").rmdir()
    page = project / "src/app/web/app.js"
    page.write_text(page.read_text().replace("/reports", "/invoices"))


def _renamed(text: str) -> str:
    for old, new in NAMES.items():
        text = text.replace(old, new)
    return text
