"""The migrations in the folder of the service; what is wrong with them or with the database's place is one sentence."""

import warnings
from collections.abc import Collection

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError

__all__ = ["heads", "refuse_unknown"]


def heads(config: Config) -> tuple[str, ...]:
    """The newest revisions; raises CommandError where the files name none, or where they contradict each other."""
    scripts = ScriptDirectory.from_config(config)
    with warnings.catch_warnings():
        # One of the two files would be passed over, with its changes.
        warnings.filterwarnings("error", r"Revision .* is present more than once", UserWarning)
        # It is raised as well, as the name alone.
        warnings.filterwarnings("ignore", r"Revision .* is not present", UserWarning)
        try:
            # After an update there may be two: the template's newest and the service's own.
            return tuple(sorted(scripts.get_heads()))
        except UserWarning as error:
            says = f"{error} in {scripts.versions}"
            raise CommandError(f"{says}; give one of the two files another `revision`.") from None
        except KeyError as error:
            says = f"A migration in {scripts.versions} follows the revision {error}, and no file there has it"
            raise CommandError(f"{says}; bring that file back, or correct `down_revision`.") from None
        except (SyntaxError, RevisionError) as error:
            raise CommandError(f"The migrations in {scripts.versions} cannot be read: {error}") from None


def refuse_unknown(config: Config, current: Collection[str]) -> None:
    """Raise CommandError where the database is at a revision that no file here has."""
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if unknown := sorted(set(current) - known):
        says = f"The database is at {', '.join(unknown)}, which no file in migrations/versions has"
        remedy = "work with the version of the service that migrated it, or take the migration back there"
        raise CommandError(f"{says}; {remedy} (`alembic downgrade`).")
