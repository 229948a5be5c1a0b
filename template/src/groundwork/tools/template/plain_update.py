"""What a plain `copier update --trust` runs across a release that moves files: the same merge, in place of Copier's own.

Copier runs this twice, in the folder of the service: before it changes anything, which is the time to refuse, and afterwards.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from groundwork.tools.template.files import committed, rendered, unlinked
from groundwork.tools.template.git import Refused, git
from groundwork.tools.template.merge import RENDERS, Release, merge
from groundwork.tools.template.render import ANSWERS
from groundwork.tools.template.report import report
from groundwork.tools.template.service import Service, answers_in, found_service, leftovers, refuse_unready
from groundwork.tools.template.write import remove_empty, write

__all__ = ["run"]


def run(checkout: Path) -> int:
    """Update the service of the current folder to the release that is checked out there; return the exit code."""
    try:
        service = found_service(Path.cwd())
        if os.environ.get("STAGE") == "before":
            refuse_unready(service)
        else:
            _update(service, checkout)
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    return 0


def _update(service: Service, checkout: Path) -> None:
    with TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        try:
            merged = merge(service, _release(service, checkout), Path(scratch))
        finally:
            _take_back(service, Path(scratch, RENDERS[1]))
        write(service, merged, Path(scratch))
    for paragraph in report(service, merged):
        sys.stderr.write(f"{paragraph}\n")


def _release(service: Service, checkout: Path) -> Release:
    before = answers_in(git("show", f"HEAD:{service.prefix}{ANSWERS}", cwd=service.top))
    # As Copier has written them.
    after = answers_in((service.folder / ANSWERS).read_text("utf-8"))
    # Copier's clone of a template on this machine has what is not committed there; of another one it may be incomplete.
    source = str(checkout) if (checkout / ".git").is_dir() else str(after["_src_path"])
    return Release(checkout, source, [sys.executable, "-m", "copier"], str(after["_commit"]), before, after)


def _take_back(service: Service, written: Path) -> None:
    """Undo what Copier did: it began with a clean working tree, and added files of the new release and what it could not merge."""
    git("read-tree", "--reset", "-u", "HEAD", cwd=service.top)
    names = {*rendered(written), *leftovers(service)} - committed(service.top, service.prefix).keys()
    for name in names:
        if unlinked(service.folder, name):
            (service.folder / name).unlink(missing_ok=True)
    remove_empty(service.folder, names)
