"""What the service tells the groundwork about itself, once, before anything else of it is imported."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules, resolve_name
from typing import Any

__all__ = ["Configuration", "SettingsInvalid", "configuration", "configure"]


class SettingsInvalid(Exception):
    """The environment is incomplete or wrong; one sentence per variable."""


@dataclass(frozen=True)
class Configuration:
    """The references of `configure`; each is imported when it is asked for, not before."""

    package: str
    _settings: str
    _celery: str
    _schedule: str
    _failure_notice: str

    @property
    def features(self) -> list[Path]:
        """The folders of the features, in the order of their names."""
        path = import_module(self.package).__path__
        return [Path(path[0]) / module.name for module in iter_modules(path) if module.ispkg]

    @property
    def settings_class(self) -> Any:
        return resolve_name(self._settings)

    @property
    def celery(self) -> Any:
        return resolve_name(self._celery)

    @property
    def schedule(self) -> Any:
        return resolve_name(self._schedule)

    @property
    def failure_notice(self) -> str:
        """The name of the task."""
        return self._failure_notice.replace(":", ".")


_configured: list[Configuration] = []


def configure(*, package: str, settings: str, celery: str, schedule: str, failure_notice: str) -> None:
    """Tell the groundwork which service stands on it. References are written "module:name".

    `package` holds the features, one folder each: a `models.py`, a `tasks.py` and a folder `mail` in it are found.
    `settings` names a subclass of `groundwork.settings.Settings`, `celery` the result of `make_celery`, `schedule` the
    entries that the relay enqueues, and `failure_notice` the task that writes to the owner of a failed job: its only
    argument is `job_id`.
    """
    _configured[:] = [Configuration(package, settings, celery, schedule, failure_notice)]


def configuration() -> Configuration:
    """What was configured last; raises RuntimeError where nothing was."""
    if not _configured:
        raise RuntimeError("The groundwork is not configured; import the service's package, `import app`, first.")
    return _configured[0]
