"""Renders releases of the template with Copier's command line."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from groundwork.tools.template.git import Refused

__all__ = ["ANSWERS", "Answers", "asked", "render", "with_source"]

ANSWERS = ".copier-answers.yml"
Answers = dict[str, Any]


def asked(answers: Mapping[str, Any]) -> Answers:
    """Return the answers to questions, without what Copier notes beside them."""
    return {name: answer for name, answer in answers.items() if not name.startswith("_")}


def render(copier: Sequence[str], source: str, renders: Mapping[Path, tuple[str, Answers]], here: Path) -> None:
    """Render into each folder a release with answers, all at the same time; `here` is where a relative source begins."""
    running = []
    for folder, (release, answers) in renders.items():
        data = folder.with_suffix(".yml")
        data.write_text(yaml.safe_dump(asked(answers), allow_unicode=True), "utf-8")
        words = ["copy", "--defaults", "--quiet", "--vcs-ref", release, "--data-file", str(data), source, str(folder)]
        # A wide terminal keeps an error on one line.
        environment = os.environ | {"COLUMNS": "1000", "NO_COLOR": "1"}
        process = subprocess.Popen(
            [*copier, *words], cwd=here, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        running.append((release, process))
    failed = [(release, process.communicate()[1], process.returncode) for release, process in running]
    for release, said, code in failed:
        if code != 0:
            raise Refused(f"Copier cannot render release {release} of the template: {_reason(said)}")


def _reason(said: bytes) -> str:
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it does not say why."


def with_source(rendered: bytes, answers: Mapping[str, Any]) -> bytes:
    """Return the answers file of a render, with the source that the service names."""
    line = yaml.safe_dump({"_src_path": answers["_src_path"]}, allow_unicode=True, width=1000)
    # A long value goes on in lines that begin with a space.
    text = re.sub(r"^_src_path:.*\n(?: .*\n)*", lambda _: line, rendered.decode("utf-8"), flags=re.MULTILINE)
    return text.encode("utf-8")
