"""The migrations make the tables of the models, and can be taken back."""

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import downgrade, upgrade
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import make_url

from groundwork.data import Base, engine
from groundwork.settings import get_settings
from groundwork.testing import SetVariable
from groundwork.testing.environment import create_database, drop_database


def test_models_and_migrations_agree() -> None:
    with engine().connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)

    assert differences == []


@pytest.fixture
def _own_database(set_variable: SetVariable) -> Iterator[None]:
    """A database that no other test needs: a migration that cannot be taken back, or not run again, breaks it."""
    url = make_url(get_settings().database_url)
    set_variable("DATABASE_URL", url.set(database=f"own_{url.database}").render_as_string(hide_password=False))
    create_database()
    yield
    drop_database()


@pytest.mark.usefixtures("_own_database")
def test_migrations_can_be_taken_back() -> None:
    config = Config("alembic.ini")

    downgrade(config, "base")
    with engine().connect() as connection:
        left = connection.exec_driver_sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").scalar_one()
    upgrade(config, "heads")

    assert left == 1  # alembic_version
