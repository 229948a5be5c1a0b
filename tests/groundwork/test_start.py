"""What the processes of a service load when they start."""

import subprocess
import sys

import pytest
from typer.main import get_group
from typer.testing import CliRunner

from app.cli import cli
from groundwork.tools.lazy_commands import Commands

commands = get_group(cli).commands


@pytest.mark.parametrize(
    ("start", "without"),
    [
        (
            "from app.main import create_app; create_app()",
            "sqladmin zxcvbn jinja2 css_inline alembic celery.worker typer",
        ),
        (
            "from app.cli import cli; cli(['--help'], standalone_mode=False)",
            "pydantic sqlalchemy celery fastapi alembic",
        ),
    ],
    ids=["API", "list of commands"],
)
def test_a_process_loads_what_it_needs(start: str, without: str) -> None:
    heavy = f"import sys\n{start}\nprint('loaded:', sorted(set({without.split()}) & sys.modules.keys()))"

    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)

    assert "loaded: []" in done.stdout


@pytest.mark.parametrize("name", commands)
def test_the_list_of_commands_says_what_each_says_itself(name: str) -> None:
    itself = commands[name].make_context(name, [], resilient_parsing=True).command

    assert commands[name].get_short_help_str(200) == itself.get_short_help_str(200)
    assert CliRunner().invoke(cli, [name, "--help"]).exit_code == 0


def test_a_group_of_commands_and_a_function_can_be_named_or_given() -> None:
    own = Commands(add_completion=False)
    own.add_lazy("jobs", "groundwork.tools.job_commands:jobs", "See them.")

    @own.command()
    def hello(name: str) -> None:
        """Greet."""
        print(f"Hello {name}.")

    run = CliRunner()
    assert run.invoke(own, ["hello", "Ada"]).output == "Hello Ada.\n"
    assert "Run a failed or cancelled one again" in run.invoke(own, ["jobs", "--help"]).output
    assert run.invoke(own, ["jobs", "nothing"]).exit_code == 2
