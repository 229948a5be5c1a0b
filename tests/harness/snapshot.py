"""The template as it is in the working tree, without git: what every render of a run starts from."""

import shutil
import subprocess
from pathlib import Path


def snapshot(template: Path, to: Path) -> None:
    """Copy what git tracks or would track; a tree that is not in git is copied as it is."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=template,
        capture_output=True,
        text=True,
    )
    if listed.returncode != 0:
        shutil.copytree(template, to, ignore=shutil.ignore_patterns(".venv", ".tools", "__pycache__", ".*_cache"))
        return
    for name in filter(None, listed.stdout.split("\0")):
        if (template / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(template / name, to / name)
