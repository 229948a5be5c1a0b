"""The API's document is what linters and generators of clients expect: their clients are compiled, and call the service."""

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from conftest import Generate, present_or_skipped

from combinations import TEMPLATE
from missing import Missing
from run_folder import RunFolder
from serving import Serving, serving
from suite import UV, execute

pytestmark = pytest.mark.slow

PERSON = ("ada@example.org", "correct horse battery")
# Her address, what becomes of the job that she asks for, and the title of a problem.
CALLED = [PERSON[0], "queued", "Not found"]
DOCUMENT = "import json, app; from app.main import create_app; print(json.dumps(create_app().openapi()))"


@dataclass(frozen=True)
class Clients:
    """A folder with the document, the tools, and what calls the service with the clients that they generate."""

    folder: Path
    service: Serving

    def tool(self, *words: str) -> str:
        return execute("node_modules/.bin/" + words[0], *words[1:], cwd=self.folder, REDOCLY_TELEMETRY="off")

    def called(self, *words: "str | Path") -> object:
        last = execute(*words, self.service.url, *PERSON, str(uuid4()), cwd=self.folder).splitlines()[-1]
        return json.loads(last)


@pytest.fixture
def clients(generate: Generate, run_folder: RunFolder, tmp_path: Path) -> Iterator[Clients]:
    folder = tmp_path / "clients"
    shutil.copytree(TEMPLATE / "tests/clients", folder)
    with present_or_skipped():
        if not shutil.which("npm"):
            raise Missing("npm is not here, which installs what lints and generates; on Debian: apt install npm")
    with present_or_skipped(), serving(run_folder, generate(), tmp_path, "redis") as service:
        words = [str(service.python), "-m", "app.cli", "create-admin", "--email", PERSON[0], "--password", PERSON[1]]
        execute(*words, cwd=service.project, **service.variables)
        document = execute(service.python, "-c", DOCUMENT, cwd=service.project, **service.variables)
        (folder / "openapi.json").write_text(document.splitlines()[-1])
        yield Clients(folder, service)


def test_linters_have_nothing_to_say_and_generated_clients_work(clients: Clients) -> None:
    execute("npm", "install", "--silent", "--no-audit", "--no-fund", cwd=clients.folder)

    # The owner alone knows a licence, and what a tag means to them.
    rules = ["--skip-rule=info-license", "--skip-rule=tag-description"]
    # It says "You have 11 warnings", and ends with 0.
    assert "You have" not in clients.tool("redocly", "lint", "openapi.json", *rules)
    assert "No results with a severity" in clients.tool("spectral", "lint", "openapi.json", "--fail-severity=hint")

    clients.tool("openapi-typescript", "openapi.json", "-o", "schema.ts")
    clients.tool("openapi-ts", "-i", "openapi.json", "-o", "hey", "-c", "@hey-api/client-fetch")
    clients.tool("tsc", "-p", ".")
    assert clients.called("node", "built/fetch.js") == CALLED
    assert clients.called("node", "built/hey.js") == CALLED

    generate = [
        str(UV),
        "tool",
        "run",
        "--quiet",
        "--python",
        sys.executable,
        "openapi-python-client@0.29.1",
        "generate",
    ]
    said = execute(*generate, "--path=openapi.json", "--output-path=generated", "--meta=none", cwd=clients.folder)
    assert "arning" not in said
    needed = [f"--with={package}" for package in ("httpx", "attrs", "python-dateutil")]
    python = [str(UV), "run", "--quiet", "--no-project", "--python", sys.executable, *needed, "python"]
    assert clients.called(*python, "call.py") == CALLED
