"""The weekly update: what runs a release's code has no token, and what has the token runs nothing of the release."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Generate

from combinations import TEMPLATE

GIT = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org"}
GIT |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in GIT.items()}
GIT |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
# What the release does to the service: some of it good, some not.
RELEASE = """#!/bin/sh
env >> "$SEEN"
case "$*" in
  "run app template update --no-checks")
    echo new > app.py
    echo 'on: push' > .github/workflows/ci.yml
    echo 'on: push' > .github/workflows/thief.yml
    echo 'image: thief' > .gitlab-ci.yml
    git mv --force .github/dependabot.yml moved.yml
    echo 'Merged: app.py' ;;
  lock) echo locked > uv.lock ;;
esac
"""
# Says what it was asked for, and that no request is open.
GH = """#!/bin/sh
echo "$*" >> "$ASKED"
for word; do test ! -f "$word" || cat "$word" >> "$ASKED"; done
"""


@pytest.fixture
def workflow(generate: Generate) -> dict[str, Any]:
    project = generate(ci="github")
    return dict(yaml.safe_load((project / ".github/workflows/template-update.yml").read_text()))


@pytest.fixture
def pipeline(generate: Generate) -> dict[str, Any]:
    return dict(yaml.safe_load((generate(ci="gitlab") / ".gitlab-ci.yml").read_text()))


@pytest.fixture
def git(tmp_path: Path) -> Callable[..., str]:
    """Runs in a service's clone, whose origin has one commit."""

    def run(*words: str, folder: str = "clone") -> str:
        done = subprocess.run(
            ["git", *words], cwd=tmp_path / folder, env=os.environ | GIT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    (tmp_path / "origin").mkdir()
    run("init", "--quiet", "--bare", "--initial-branch=main", folder="origin")
    run("clone", "--quiet", "origin", "clone", folder=".")
    for name in ("app.py", ".github/workflows/ci.yml", ".github/dependabot.yml", ".gitlab-ci.yml", "uv.lock"):
        path = tmp_path / "clone" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("old\n")
    run("add", "--all")
    run("commit", "--quiet", "--message", "Service")
    run("push", "--quiet", "origin", "HEAD:main")
    return run


@pytest.fixture
def shell(tmp_path: Path, git: Callable[..., str]) -> Callable[..., str]:
    """Runs the script of a job in a clone of its own, and gives its output."""
    (tmp_path / "bin").mkdir()
    for name, text in {"uv": RELEASE, "gh": GH, "apt-get": "#!/bin/sh\n"}.items():
        program = tmp_path / "bin" / name
        program.write_text(text)
        program.chmod(0o755)
    (tmp_path / "temp").mkdir()

    def run(script: str, **environment: str) -> str:
        git("checkout", "--quiet", "main")
        git("reset", "--quiet", "--hard", "origin/main")
        paths = {name: str(tmp_path / name.lower()) for name in ("SEEN", "ASKED", "GITHUB_OUTPUT")}
        machine = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "RUNNER_TEMP": str(tmp_path / "temp")}
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=tmp_path / "clone",
            env={"HOME": str(tmp_path), "GITHUB_RUN_ID": "42"} | GIT | machine | paths | environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def script_of(job: dict[str, Any]) -> str:
    [script] = [step["run"] for step in job["steps"] if "run" in step]
    return str(script)


def test_what_runs_a_release_has_no_token_and_what_has_one_runs_no_release(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    with_token = {name for name, job in workflow["jobs"].items() if "secrets." in str(job)}
    with_release = {name for name, job in workflow["jobs"].items() if re.search(r"\buv\b", str(job))}

    assert (with_token, with_release) == ({"wanted", "request"}, {"patch"})
    checkout, setup_uv, *_ = workflow["jobs"]["patch"]["steps"]
    assert checkout["with"] == {"persist-credentials": False}
    assert setup_uv["with"] == {"enable-cache": False}


def test_the_pipeline_gives_its_token_to_one_environment(pipeline: dict[str, Any]) -> None:
    update, request = pipeline["template-update"], pipeline["template-request"]

    assert "environment" not in update
    assert request["environment"] == {"name": "template-update", "action": "access"}
    assert not re.search(r"\buv\b", str(request["script"]))


def test_the_request_has_the_update_without_the_workflows_which_it_names(
    workflow: dict[str, Any], shell: Callable[..., str], git: Callable[..., str], tmp_path: Path
) -> None:
    shell(script_of(workflow["jobs"]["patch"]))
    shell(script_of(workflow["jobs"]["request"]), GH_TOKEN="a token")

    changed = git("diff", "--name-status", "--no-renames", "main", "template-update", folder="origin").splitlines()
    assert changed == ["M\t.gitlab-ci.yml", "M\tapp.py", "A\tmoved.yml", "M\tuv.lock"]
    assert "a token" not in (tmp_path / "seen").read_text()
    asked = (tmp_path / "asked").read_text()
    assert "pr create --head template-update" in asked
    assert "    .github/dependabot.yml\n    .github/workflows/ci.yml\n    .github/workflows/thief.yml\n" in asked
    assert "Merged: app.py" in asked
    # And what it says makes them makes them.
    [command] = re.findall(r"git apply .*", asked)
    git("reset", "--quiet", "--hard", "origin/template-update")
    shell(
        f"git reset --quiet --hard origin/template-update; {command.replace('/tmp/update', str(tmp_path / 'temp/update'))}"
    )
    staged = git("diff", "--cached", "--name-only", "--no-renames").split()
    assert staged == [".github/dependabot.yml", ".github/workflows/ci.yml", ".github/workflows/thief.yml"]


def test_nothing_is_wanted_while_somebody_works_on_the_request(
    workflow: dict[str, Any], shell: Callable[..., str], tmp_path: Path
) -> None:
    look = script_of(workflow["jobs"]["wanted"])
    shell(look, GH_REPO="ada/shop")
    first = (tmp_path / "github_output").read_text()
    (tmp_path / "bin/gh").write_text('#!/bin/sh\ncase "$1" in pr) echo 7 ;; api) echo Ada ;; esac\n')

    told = shell(look, GH_REPO="ada/shop")

    assert first == "wanted=true\n"
    assert "Somebody works on" in told
    assert (tmp_path / "github_output").read_text() == first


def test_the_merge_request_has_the_update_without_the_pipeline_which_it_names(
    pipeline: dict[str, Any], shell: Callable[..., str], git: Callable[..., str], tmp_path: Path
) -> None:
    [update], [request] = pipeline["template-update"]["script"], pipeline["template-request"]["script"]
    shell(update)
    patch = (tmp_path / "clone/update.patch").read_text()
    git("config", "receive.advertisePushOptions", "true", folder="origin")
    hook = tmp_path / "origin/hooks/pre-receive"
    hook.write_text(f'#!/bin/sh\nenv | grep ^GIT_PUSH_OPTION_ > "{tmp_path}/asked"\n')
    hook.chmod(0o755)
    url = "https://template-update:$TEMPLATE_UPDATE_TOKEN@$CI_SERVER_HOST/$CI_PROJECT_PATH.git"
    assert url in request

    (tmp_path / "clone/update.patch").write_text(patch)
    shell(request.replace(url, "origin"), CI_DEFAULT_BRANCH="main")

    changed = git("diff", "--name-only", "main", "template-update", folder="origin").split()
    assert ".gitlab-ci.yml" not in changed
    assert {"app.py", "uv.lock"} < set(changed)
    assert "Left out, since the pipeline is given tokens: .gitlab-ci.yml ." in (tmp_path / "asked").read_text()


def test_the_pipeline_refuses_to_run_a_release_beside_the_token(
    pipeline: dict[str, Any], shell: Callable[..., str]
) -> None:
    [update] = pipeline["template-update"]["script"]

    with pytest.raises(AssertionError, match="environment scope template-update"):
        shell(update, TEMPLATE_UPDATE_TOKEN="a token")


@pytest.mark.parametrize("ci", ["github"])
def test_actions_are_named_by_what_they_are(generate: Generate, ci: str) -> None:
    """A tag can be moved to other code; Renovate moves the digest, and the version beside it."""
    files = [*(generate(ci=ci) / ".github/workflows").iterdir(), *(TEMPLATE / ".github/workflows").iterdir()]
    used = [line for file in files for line in re.findall(r"uses: (.*)", file.read_text())]

    assert used
    assert [line for line in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


@pytest.mark.parametrize("ci", ["github", "gitlab"])
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_so_are_images(generate: Generate, broker: str, ci: str) -> None:
    """And a tag is the same image wherever it stands."""
    render = generate(broker=broker, ci=ci)
    pipelines = [render / ".gitlab-ci.yml"] if ci == "gitlab" else (render / ".github/workflows").iterdir()
    files = [render / "Dockerfile", render / "compose.yaml", *pipelines, *(TEMPLATE / ".github/workflows").iterdir()]
    named = r"(?:^FROM |--from=| image: |- name: (?=\w+:))([\w./-]+(?::\S+)?)"
    used = {name for file in files for name in re.findall(named, file.read_text(), re.MULTILINE)} - {"build"}

    pinned = [re.fullmatch(r"([\w./-]+:[\w.-]+)@sha256:([0-9a-f]{64})", name) for name in used]
    assert len(used) > 5
    assert [name for name, match in zip(used, pinned, strict=True) if match is None] == []
    assert len({match[1] for match in pinned if match}) == len(used)
