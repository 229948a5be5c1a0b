"""`copier copy`, but a release with the same answers is rendered once in a run of the tests, and copied from then on.

Usage: cached_copier.py CACHE copy --defaults --quiet --vcs-ref RELEASE --data-file FILE SOURCE FOLDER
"""

import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp


def main(cache: Path, words: list[str]) -> None:
    options = dict(zip(words[3:-2:2], words[4:-2:2], strict=True))
    source, folder = words[-2:]
    answers = Path(options["--data-file"]).read_bytes()
    resolve = ["git", "rev-parse", "--verify", f"{options['--vcs-ref']}^{{commit}}"]
    commit = subprocess.run(resolve, cwd=source, capture_output=True, text=True, check=True).stdout.strip()
    kept = cache / sha256(commit.encode() + answers).hexdigest()
    if not kept.exists():
        made = Path(mkdtemp(dir=cache)) / "render"
        # With Copier's packages, which this program goes without.
        if code := subprocess.run([sys.executable, __file__, "render", *words[1:-1], str(made)]).returncode:
            sys.exit(code)
        try:
            # Only now: other processes look for it too.
            made.rename(kept)
        except OSError:
            shutil.rmtree(made)
    shutil.copytree(kept, folder, symlinks=True)
    noted = Path(folder, ".copier-answers.yml")
    noted.write_text(re.sub("^_src_path: .*$", f"_src_path: {source}", noted.read_text(), flags=re.MULTILINE))


def render(words: list[str]) -> None:
    from unittest.mock import patch

    import copier
    import yaml
    from copier._main import Worker

    answers = yaml.safe_load(Path(words[words.index("--data-file") + 1]).read_text())
    release = words[words.index("--vcs-ref") + 1]
    # No question to git about every file's executable bit.
    with patch.object(Worker, "_sync_git_index_executable_bit"):
        copier.run_copy(words[-2], words[-1], answers, vcs_ref=release, defaults=True, quiet=True)


if __name__ == "__main__":
    if sys.argv[1] == "render":
        render(sys.argv[2:])
    else:
        main(Path(sys.argv[1]), sys.argv[2:])
