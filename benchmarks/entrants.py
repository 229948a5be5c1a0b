"""The contenders where they are installed: the service's own, those of another version of the template, and rivals."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from combinations import TEMPLATE
from contenders import OURS, PLAIN, Contender, Package
from missing import Missing
from rivals import RIVALS
from run_folder import RunFolder
from service import Service, make_effects, served, variables
from services import made_database
from suite import UV, execute

__all__ = ["Entrant", "checked_out", "installed_rivals", "of_the_template"]


@dataclass(frozen=True)
class Entrant:
    """`name` is the one in the table; `ours` tells the working tree's own contenders from those they are compared with."""

    name: str
    contender: Contender
    service: Service
    ours: bool = False


def checked_out(run: RunFolder, wanted: str) -> Path:
    """A folder with that version of the template: the path itself, or a clone at that commit."""
    if Path(wanted).is_dir():
        return Path(wanted).resolve()
    folder = run.path / f"template-{wanted.replace('/', '-')}"
    execute("git", "clone", "--quiet", "--no-checkout", TEMPLATE, folder, cwd=run.path)
    execute("git", "checkout", "--quiet", wanted, cwd=folder)
    return folder


@contextmanager
def of_the_template(run: RunFolder, broker: str, beside: dict[str, Path]) -> Iterator[list[Entrant]]:
    """Durable jobs of the working tree, those of other versions by their names, and plain Celery."""
    with ExitStack() as ends:
        service = ends.enter_context(served(run, broker))
        entrants = [Entrant(contender.name, contender, service, ours=True) for contender in OURS]
        for name, template in beside.items():
            other = ends.enter_context(served(run, broker, template))
            entrants += [Entrant(f"{contender.name}, {name}", contender, other) for contender in OURS]
        yield [*entrants, Entrant(f"{PLAIN.name}, {_version(service, 'celery')}", PLAIN, service)]


@contextmanager
def installed_rivals(run: RunFolder, only: list[str]) -> Iterator[list[Entrant]]:
    """Each with an environment and a database of its own; one that cannot be installed is left out with a sentence."""
    with ExitStack() as ends:
        entrants = []
        for rival in RIVALS:
            if rival.package is None or not any(word in rival.name for word in only or [""]):
                continue
            try:
                service = ends.enter_context(_installed(run, rival.package))
            except Missing as missing:
                print(f"{rival.name} is skipped: {missing}.", flush=True)
                continue
            name = f"{rival.package.name} {_version(service, rival.package.name)}"
            if rival.package.python:
                name += f", Python {_printed(service, 'import platform; print(platform.python_version())')}"
            entrants.append(Entrant(name, rival, service))
        yield entrants


@contextmanager
def _installed(run: RunFolder, package: Package) -> Iterator[Service]:
    """Raises Missing."""
    folder = run.path / f"rival-{package.name}"
    folder.mkdir()
    python = folder / ".venv/bin/python"
    wanted = ("--python", package.python) if package.python else ()
    words = ("pip", "install", "--quiet", "--compile-bytecode", "--python", python)
    try:
        execute(UV, "venv", "--quiet", *wanted, cwd=folder, PATH=_path_with_pythons())
        execute(UV, *words, *package.requirements, cwd=folder)
    except AssertionError as error:
        # What uv says, in one line.
        said = " ".join(str(error).split("\n", 1)[1].split())
        raise Missing(said.removeprefix("error: ").removesuffix(".")) from error
    with made_database(run) as database_url:
        service = Service(folder, variables(database_url) | {package.url_variable: database_url})
        for command, *rest in package.setup:
            execute(service.program(command), *rest, cwd=folder, **service.variables)
        make_effects(database_url)
        yield service


def _path_with_pythons() -> str:
    """PATH, and the versions of pyenv: its own commands on PATH run only the version that is switched on."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = sorted((root / "versions").glob("*/bin"), reverse=True)
    return os.pathsep.join([*map(str, folders), os.environ["PATH"]])


def _version(service: Service, package: str) -> str:
    return _printed(service, f"from importlib.metadata import version; print(version({package!r}))")


def _printed(service: Service, program: str) -> str:
    return subprocess.check_output([service.program("python"), "-c", program], text=True).strip()
