from alembic.autogenerate import compare_metadata
from alembic.command import downgrade, upgrade
from alembic.config import Config
from alembic.migration import MigrationContext

from app.db import Base, engine


def test_models_and_migrations_agree() -> None:
    with engine().connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)

    assert differences == []


def test_migrations_can_be_taken_back() -> None:
    config = Config("alembic.ini")

    downgrade(config, "base")
    with engine().connect() as connection:
        left = connection.exec_driver_sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").scalar_one()
    upgrade(config, "heads")

    assert left == 1  # alembic_version
