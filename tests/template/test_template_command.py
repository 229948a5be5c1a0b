"""`app template update`, and a plain `copier update --trust`, as commands: what they refuse, and what they say."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from merging import PACKAGE, SOURCES, Workshop, append, commit, engine, files, remove, replace, unmerged, update, write
from releases import git
from small_template import SECOND
from suite import execute

pytestmark = pytest.mark.slow

# What is refused, before anything changes.

BROKEN = {
    "This folder is not in git; first: git init && ": "rm -rf .git",
    "git cannot work here: not a git repository (or any ": "rm .git/HEAD",
    "git cannot work here: not a git repository: /nowhere.": "rm -rf .git; echo gitdir: /nowhere > .git",
    "git cannot work here: this operation must be run in a work tree.": "git config core.bare true",
    "git cannot work here: bad config line ": "echo [ >> .git/config",
    "git cannot read the last commit: your current branch appears to be broken; `git fsck` tells": "echo x > .git/$(git symbolic-ref HEAD)",
    "git cannot read the last commit: bad object HEAD; `git fsck` tells what is damaged.": "git rev-parse HEAD | sed 's#..#&/#;s#^#.git/objects/#' | xargs rm -f",
    "git cannot read the last commit: not a tree object; ": "git rev-parse HEAD: | sed 's#..#&/#;s#^#.git/objects/#' | xargs rm -f",
    "failed: .git/index: index file smaller than expected.": "echo x > .git/index",
    "This folder is not in the last commit; first: git add": "rm -rf .git; git init --quiet",
    "A merge is in progress; finish it, or take it back with `git merge --abort`.": "git rev-parse HEAD > .git/MERGE_HEAD",
    "A rebase is in progress": "mkdir .git/rebase-merge",
    "A git am is in progress": "mkdir .git/rebase-apply; touch .git/rebase-apply/applying",
    "A cherry-pick is in progress": "git rev-parse HEAD > .git/CHERRY_PICK_HEAD",
    "A revert is in progress": "git rev-parse HEAD > .git/REVERT_HEAD",
    "A cherry-pick or revert is in progress": "mkdir .git/sequencer",
    "A bisect is in progress": "git bisect start --quiet || touch .git/BISECT_LOG",
    "not committed: Dockerfile, new file; commit them first, or `git stash` them.": "echo x >> Dockerfile; touch 'new file'",
    "n00, n01, n02, n03, n04, n05, n06, n07, n08, n09 and 2 more": "for i in 0 1; do for j in 0 1 2 3 4 5; do touch n$(($i * 6 + $j)); done; done; for i in 0 1 2 3 4 5 6 7 8 9; do mv n$i n0$i; done",
    "has left Dockerfile.rej; merge what is in there by hand, and delete it.": "touch Dockerfile.rej",
    "has left Dockerfile.orig; ": "echo '*.orig' >> .git/ignored; touch Dockerfile.orig",
    "has left conflict marks in Dockerfile; ": "printf '<<<<<<< before updating\\n' >> Dockerfile; git commit --quiet --all --message x",
    "Git has unmerged files: Dockerfile; ": "printf '100644 %s 2\\tDockerfile\\n' $(git rev-parse HEAD:Dockerfile) | git update-index --index-info",
    "There is no .copier-answers.yml here": "rm .copier-answers.yml",
    ".copier-answers.yml names no `_commit`, since Copier found no git where it copied the template; ": "sed -i '/^_commit/d' .copier-answers.yml",
    ".copier-answers.yml is damaged": "echo '<<<<<<<' > .copier-answers.yml",
    "https://127.0.0.1:1/of.git does not answer: unable to access ": "sed -i 's#^_src_path: .*#_src_path: https://ada:hidden@127.0.0.1:1/of.git#' .copier-answers.yml; git commit --quiet --all --message x",
    "/missing does not answer: '": "sed -i 's#^_src_path: .*#_src_path: /missing#' .copier-answers.yml; git commit --quiet --all --message x",
    "`_src_path: ./there` in .copier-answers.yml is a relative path": "sed -i 's#^_src_path: .*#_src_path: ./there#' .copier-answers.yml; git commit --quiet --all --message x",
    "The release brings `src/groundwork/http/tokens.py`, and `src/groundwork/http/tokens.py`, which git does not know": "mkdir -p src/groundwork/http; echo /src/groundwork >> .git/ignored; echo x > src/groundwork/http/tokens.py",
    "`src/groundwork`, which git does not know, is in the way; move it away, ": "echo /src/groundwork >> .git/ignored; touch src/groundwork",
    "and `src/groundwork` is a file of yours; rename it, commit, ": "touch src/groundwork; git add .; git commit --quiet --message x",
    "where only one file can be; rename `src/groundwork/jobs/models.py`, ": "mkdir -p src/groundwork/jobs; touch src/groundwork/jobs/models.py; git add .; git commit --quiet --message x",
}


@pytest.mark.parametrize(("says", "spoil"), BROKEN.items(), ids=[spoil[:40] for spoil in BROKEN.values()])
def test_what_stands_against_an_update_is_said_in_one_sentence_and_nothing_changes(
    service: Path, says: str, spoil: str
) -> None:
    identity = {f"GIT_{who}_{what}": "tests@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    execute("sh", "-c", spoil, cwd=service, **identity)

    assert_refused(service, says)


def test_a_lock_file_that_uv_wrote_anew_stands_against_nothing(service: Path) -> None:
    write(service, {"uv.lock": "version = 1\n"})

    update(service)

    assert (service / "uv.lock").read_text() == "version = 1\n"
    assert unmerged(service) == set()


def assert_refused(service: Path, says: str, *data: str, to: str = SECOND) -> None:
    before = files(service)
    index = (service / ".git/index").read_bytes() if (service / ".git/index").exists() else b""

    with pytest.raises(engine("git").Refused) as refused:
        update(service, *data, to=to)

    assert says in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert files(service) == before
    assert (
        not index
        or (service / ".git/index").read_bytes() == index
        or git("diff", "--cached", "--name-only", cwd=service) == ""
    )


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            "brokr=redis",
            "`--data brokr=redis`: the template asks no `brokr`; it asks project_name, broker, email_provider, ci.",
        ),
        ("slug=x", "the template asks no `slug`"),
        ("broker", "`--data broker` has no value; write it as broker=VALUE."),
        ("broker=kafka", "`--data broker=kafka`: `kafka` is not offered; choose from redis, rabbitmq."),
    ],
)
def test_an_answer_that_cannot_be_is_refused(service: Path, data: str, says: str) -> None:
    assert_refused(service, says, data)


def test_a_release_that_is_not_there_or_older_is_refused(workshop: Workshop) -> None:
    service = workshop.service(SECOND)

    assert_refused(service, "has no release 7.0.0", to="7.0.0")
    assert_refused(service, "0.1.0 is older than 0.2.0, which this service has", to="0.1.0")


def test_what_copier_refuses_is_said_in_its_words(workshop: Workshop) -> None:
    assert_refused(workshop.service(SECOND), "project_name': It is empty.", "project_name=")


def test_an_old_git_is_refused(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = engine("service")
    git_of = module.git
    monkeypatch.setattr(
        module,
        "git",
        lambda *words, **more: "git version 2.37.2" if words == ("--version",) else git_of(*words, **more),
    )

    assert_refused(service, "git 2.37 cannot merge without a working tree; install git 2.38 or newer.")


def test_a_repository_of_another_user_is_refused_in_the_words_of_git(
    service: Path, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As git tests itself; in the language of its messages, which not everybody reads in English.
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "true")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    remedy = "To add an exception for this directory, call: git config --global --add safe.directory "

    assert_refused(service, f"git cannot work here: detected dubious ownership in repository at '{service}' {remedy}")
    with pytest.raises(engine("git").Refused) as refused:
        engine("releases").releases(str(workshop.template))
    assert str(refused.value).startswith(f"{workshop.template} does not answer: detected dubious ownership in ")
    assert remedy in str(refused.value)


def test_a_machine_without_git_is_refused(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(service))

    with pytest.raises(engine("git").Refused) as refused:
        engine("service").found_service(service)

    assert str(refused.value) == "git does not start, No such file or directory; install git, or put it on the PATH."


def test_a_folder_that_this_user_cannot_write_is_refused(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root, who runs these tests in a container, writes everywhere.
    monkeypatch.setattr(engine("write").os, "access", lambda path, _: path != service / "docs")

    assert_refused(service, f"{service}/docs cannot be written by this user; update as the user whose folder it is.")


def test_whatever_fails_while_the_merge_is_written_leaves_the_service_as_it_was(
    service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(service, {".env": "SECRET=1\n"})
    module = engine("write")
    before, index = files(service), (service / ".git/index").read_bytes()

    def fail(*_: Any) -> None:
        assert (service / "src/groundwork").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_mark", fail)
    with pytest.raises(KeyboardInterrupt):
        update(service)

    assert files(service) == before
    assert (service / ".git/index").read_bytes() == index
    assert not (service / "src/groundwork").exists()
    assert git("status", "--porcelain", cwd=service) == ""


# The command, and a plain `copier update`.


def command(workshop: Workshop, *words: str, checks: tuple[str, ...] = ("true",)) -> tuple[int, str]:
    """`app template ...`: its exit code, and what it says."""
    program = f"""
import sys
from types import ModuleType

# The packages alone: the environment has what this command needs.
for name in ("groundwork", "groundwork.tools", {PACKAGE!r}):
    sys.modules[name] = ModuleType(name)
    sys.modules[name].__path__ = [{str(SOURCES)!r} + "/" + name.replace(".", "/")]
from groundwork.tools.template import commands

commands.CHECKS = {checks!r}
commands.template()
"""
    run = [str(workshop.python), "-B", "-c", program, *words]
    done = subprocess.run(
        run, cwd=workshop.folder / "service", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.returncode, done.stdout


def test_the_command_shows_the_notes_merges_and_runs_the_checks(workshop: Workshop, service: Path) -> None:
    assert command(workshop, "status")[1].startswith("This service is at 0.1.0 of ")

    code, output = command(workshop, "update", "--to", SECOND)

    assert code == 0, output
    notes, _, rest = output.partition("Dropped by the template")
    assert (
        notes == "## 0.2.0\n\n- Most modules move.\n- `ci=github, broker=redis|rabbitmq`: for everybody on GitHub.\n\n"
    )
    assert rest.endswith(
        "true\nUpdated to 0.2.0; all checks pass. Read `git diff HEAD`, commit, `uv run app migrate`.\n"
    )
    commit(service)
    code, output = command(workshop, "update", checks=("false",))
    assert output.startswith("## 0.3.0\n\nNames again.\n")
    assert (code, output.splitlines()[-1]) == (
        1,
        "The update is merged, but `false` fails; put it right before you commit.",
    )
    commit(service)
    assert command(workshop, "update") == (0, "There is no newer release.\n")
    # The answers that the service has, to another one.
    code, output = command(workshop, "update", "--data", "broker=rabbitmq", "--no-checks", checks=("false",))
    assert code == 0, output
    assert output.endswith("Updated to 0.3.0; now run: false. Read `git diff HEAD`, commit, `uv run app migrate`.\n")
    assert "ENV BROKER=rabbitmq" in (service / "Dockerfile").read_text()


def test_the_command_says_what_to_do_with_files_in_doubt(workshop: Workshop, service: Path) -> None:
    replace(service, "pyproject.toml", '"alembic"', '"alembic==1.18"')
    commit(service)
    before = files(service)

    code, output = command(workshop, "update", checks=("uv sync", "uv run pytest"))

    assert code == 1
    assert "changed the same lines:\n  pyproject.toml\n" in output
    assert "Begin with pyproject.toml, in an editor: until it is right, `uv run` does not start.\n" in output
    assert "\nThen: uv sync && uv run pytest\n" in output
    assert output.endswith("\n`git restore --source=HEAD --staged --worktree .` takes the update back.\n")
    git("restore", "--source=HEAD", "--staged", "--worktree", ".", cwd=service)
    assert files(service) == before
    assert git("status", "--porcelain", cwd=service) == ""


@pytest.mark.usefixtures("service")
def test_the_command_refuses_with_one_sentence(workshop: Workshop) -> None:
    assert command(workshop, "update", "--data", "brokr=x") == (
        1,
        "`--data brokr=x`: the template asks no `brokr`; it asks project_name, broker, email_provider, ci.\n",
    )


def test_a_plain_copier_update_needs_trust_across_the_moves_alone_and_does_the_same(
    workshop: Workshop, service: Path
) -> None:
    append(service, "src/app/jobs/enqueue.py")
    replace(service, "Dockerfile", "EXPOSE 8000", "EXPOSE 9000")
    remove(service, "src/app/web")
    git("mv", "docs", "handbook", cwd=service)
    (service / "docs").symlink_to("handbook")
    commit(service)
    twin = workshop.folder / "twin"
    git("clone", "--quiet", str(service), str(twin), cwd=service)
    update(twin)
    bytecode = set(SOURCES.rglob("*.pyc"))
    plain = [sys.executable, "-m", "copier", "update", "--defaults", "--vcs-ref"]

    refused = subprocess.run([*plain, SECOND], cwd=service, capture_output=True, text=True)
    assert "--trust" in refused.stderr
    assert git("status", "--porcelain", cwd=service) == ""
    done = subprocess.run([*plain, SECOND, "--trust"], cwd=service, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "changed the same lines:\n  Dockerfile\n" in done.stderr
    assert unmerged(service) == {"Dockerfile"}
    assert files(service) == files(twin)
    # Copier renders what lies beside it.
    assert set(SOURCES.rglob("*.pyc")) == bytecode


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Dockerfile.rej", "An earlier update has left Dockerfile.rej"),
        ("src/groundwork/jobs/models.py", "rename `src/groundwork/jobs/models.py`, commit, and update again."),
    ],
    ids=["before", "after"],
)
def test_a_plain_copier_update_that_is_refused_leaves_the_service_as_it_was(
    service: Path, name: str, says: str
) -> None:
    write(service, {name: "ours\n", ".git/ignored": "*.rej\n", ".env": "SECRET=1\n"})
    commit(service)
    before = files(service)

    plain = [sys.executable, "-m", "copier", "update", "--defaults", "--trust", "--vcs-ref", SECOND]
    done = subprocess.run(plain, cwd=service, capture_output=True, text=True)

    assert done.returncode != 0
    assert says in done.stderr
    assert files(service) == before
    assert git("status", "--porcelain", cwd=service) == ""
