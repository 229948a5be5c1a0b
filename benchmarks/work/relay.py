"""The service's relay, which knows the tasks of one contender too."""

import sys
from importlib import import_module

from app.cli import cli

if __name__ == "__main__":
    import_module(sys.argv[1])
    cli(["relay"])
