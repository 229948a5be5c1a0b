from enum import Enum

from alembic.autogenerate import compare_metadata
from alembic.command import downgrade, upgrade
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

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


class Shade(Enum):
    PALE = "pale"
    DARK = "dark"


class Table(DeclarativeBase):
    """As Base, and in no migration."""

    type_annotation_map = Base.type_annotation_map


class Paint(Table):
    __tablename__ = "paints"
    name: Mapped[str] = mapped_column(primary_key=True)
    shade: Mapped[Shade | None]


def test_an_enum_is_the_text_of_its_value() -> None:
    paints = Table.metadata.tables["paints"]
    with engine().connect() as connection:
        paints.create(connection)
        with Session(connection) as session:
            session.add(Paint(name="ash", shade=Shade.PALE))
            session.flush()
            session.expire_all()
            read = session.scalars(select(Paint)).one().shade
            stored = session.execute(text("SELECT shade, pg_typeof(shade)::text FROM paints")).one()
        connection.rollback()

    assert read is Shade.PALE
    assert tuple(stored) == ("pale", "character varying")
