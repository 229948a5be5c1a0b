"""`move.py OLD NEW`: after an update in which a release renamed a file, merges the owner's edits of OLD into NEW.

Copier deletes OLD, edits and all. What it was before the update is in git, and what the old release had written is rendered again.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import copier
import yaml

ANSWERS = ".copier-answers.yml"
LABELS = ("before updating", "last update", "after updating")


def git(*words: str, text: str | None = None) -> str:
    return subprocess.run(["git", *words], input=text, capture_output=True, text=True, check=True).stdout


def there(name: str) -> bool:
    """In the last commit, which is the service before the update."""
    return subprocess.run(["git", "cat-file", "-e", f"HEAD:./{name}"], capture_output=True).returncode == 0


def merge(old: str, new: str) -> None:
    answers = yaml.safe_load(git("show", f"HEAD:./{ANSWERS}"))
    with TemporaryDirectory() as folder:
        data = {name: answer for name, answer in answers.items() if not name.startswith("_")}
        ref = answers["_commit"]
        copier.run_copy(answers["_src_path"], f"{folder}/old", data, vcs_ref=ref, defaults=True, quiet=True)
        base, ours, theirs = Path(folder, "old", old), Path(folder, "ours"), Path(new)
        ours.write_text(git("show", f"HEAD:./{old}"), "utf-8")
        versions = [(2, ours), (1, base), (3, theirs)]
        hashes = [(stage, git("hash-object", "-w", str(file)).strip()) for stage, file in versions]
        labels = [word for label in LABELS for word in ("-L", label)]
        merged = subprocess.run(
            ["git", "merge-file", "--stdout", *labels, str(ours), str(base), str(theirs)],
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        theirs.write_text(merged.stdout, "utf-8")
    if merged.returncode != 0:
        # Shown as Copier shows a merge in doubt: `git checkout --ours` and `--theirs` work.
        path = git("ls-files", "--others", "--cached", "--full-name", "--", new).splitlines()[0]
        lines = [f"100644 {sha} {stage}\t{path}\n" for stage, sha in hashes]
        git("update-index", "--index-info", text="".join(lines))


if __name__ == "__main__":
    old, new = sys.argv[1:]
    if there(old):
        merge(old, new)
    else:
        # Its owner had deleted it, and wants it under no name.
        Path(new).unlink(missing_ok=True)
