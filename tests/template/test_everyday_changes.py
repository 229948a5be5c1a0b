"""What owners change every day breaks no test that is about something else."""

import re
import sys
from pathlib import Path

import pytest
from conftest import Generate, present_or_skipped

from run_folder import RunFolder
from services import database, namespace, url_of
from suite import execute, place

pytestmark = pytest.mark.slow

MIGRATION = '''"""Nicknames"""

import sqlalchemy as sa
from alembic import op

revision: str = "a1b2c3d4e5f6"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("users", sa.Column("nickname", sa.String(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("users", "nickname")
'''


def edit(file: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, file.read_text(), flags=re.DOTALL)
    assert count == 1, (file, pattern)
    file.write_text(text)


def move_the_prefix(app: Path) -> None:
    edit(app / "settings.py", '"/api/v1"', '"/service/v2"')


def close_registration(app: Path, tests: Path) -> None:
    edit(app / "accounts/routes/users.py", r'@router.post\("", status_code=202.*?(?=@router.get\("/me")', "")
    edit(tests / "test_permissions.py", r'    "POST /users": everybody\(202\),\n', "")
    edit(tests / "test_permissions.py", r'    "POST /users": \{.*?\}\},\n', "")
    (tests / "test_registration.py").unlink()


def add_a_field(app: Path, migrations: Path) -> None:
    column = 'nickname: Mapped[str] = mapped_column(server_default="")'
    edit(app / "accounts/models.py", "(    # Your own columns go below this line.\n)", rf"\1    {column}\n")
    edit(app / "accounts/schemas.py", "(class UserOut.*?    created_at: datetime\n)", r"\1    nickname: str\n")
    (migrations / "20270101_nicknames.py").write_text(MIGRATION)


def add_a_view(admin: Path) -> None:
    view = """class Reports(ReadOnly, model=Report):
    column_list: ClassVar = [Report.id, Report.owner_id, Report.created_at]


VIEWS: """
    edit(admin, "VIEWS: ", view)
    edit(admin, "(from groundwork.audit)", r"from app.reports.models import Report\n\1")
    edit(admin, "(    # Your own views go below this line.\n)", r"\1    Reports,\n")


def test_a_moved_prefix_a_closed_registration_a_new_field_and_a_view_break_only_tests_about_them(
    generate: Generate, run_folder: RunFolder
) -> None:
    project = generate()
    app, tests = project / "src/app", project / "tests"
    move_the_prefix(app)
    close_registration(app, tests)
    add_a_field(app, project / "migrations/versions")
    add_a_view(app / "admin/views.py")
    with present_or_skipped():
        url_of(run_folder, "postgresql")
        url_of(run_folder, "redis")

    with database(run_folder) as database_url, namespace(run_folder, "redis") as broker_url:
        services = {"TEST_DATABASE_URL": database_url, "TEST_BROKER_URL": broker_url}
        environment = place().environment(sys.executable) | services
        folder = place().put(project)
        # The page still has its form.
        words = "uv sync --quiet && uv run pytest --deselect tests/test_web.py::test_the_page_asks_only_for_what_the_api_has"
        output = execute("bash", "-ec", words, cwd=folder, **environment)

    assert " passed, 1 deselected" in output
