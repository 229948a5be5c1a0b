"""Chooses the release that a service goes to, and checks that it can go there."""

import os
from collections.abc import Sequence
from pathlib import Path
from shutil import which

from groundwork.tools.template.git import Refused
from groundwork.tools.template.merge import Release
from groundwork.tools.template.releases import clone, commit_of, given, name_of, releases, settings, version_of
from groundwork.tools.template.render import ANSWERS, Answers
from groundwork.tools.template.service import Service, answers_in, refuse_unready

__all__ = ["chosen", "committed_answers"]


def chosen(service: Service, data: Sequence[str], to: str | None, scratch: Path) -> Release | None:
    """Return the release with other answers or without, or None where there is nothing to merge; raise Refused."""
    before = committed_answers(service.folder)
    refuse_unready(service)
    target = _target(before, data, to)
    if target is None:
        return None
    checkout = scratch / "template"
    commit = clone(before["_src_path"], target, checkout)
    if not commit_of(before["_commit"], checkout):
        raise Refused(
            f"{before['_src_path']} has no {before['_commit']}, which `_commit` in {ANSWERS} says this service comes from;"
            " write the release there that it comes from, and commit."
        )
    after = before | given(data, settings(checkout))
    return Release(checkout, str(checkout), _copier(), commit, before, after)


def committed_answers(folder: Path) -> Answers:
    try:
        return answers_in((folder / ANSWERS).read_text("utf-8"))
    except FileNotFoundError:
        raise Refused(
            f"There is no {ANSWERS} here; work in the folder of the service, with that file in git."
        ) from None


def _target(answers: Answers, data: Sequence[str], to: str | None) -> str | None:
    """Return the release to merge: the newest one, or with other answers alone the one that the service has."""
    here = answers["_commit"]
    # Asked in any case: it says in a sentence why the template does not answer.
    newest = max(releases(answers["_src_path"]), default=(0, 0, 0))
    if to and (0, 0, 0) < version_of(to) < version_of(here):
        raise Refused(f"{to} is older than {here}, which this service has; an update only goes forward.")
    if to or newest > version_of(here):
        return to or name_of(newest)
    return str(here) if data else None


def _copier() -> list[str]:
    if which("copier"):
        return ["copier"]
    uv = os.environ.get("UV", "uv")
    if not which(uv):
        raise Refused("Neither `copier` nor `uv` is on the PATH; https://docs.astral.sh/uv/ says how to install uv.")
    return [uv, "tool", "run", "copier"]
