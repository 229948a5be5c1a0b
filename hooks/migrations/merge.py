"""What a plain `copier update --trust` runs across a release that moves files: the service's own merge, from this checkout."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = "groundwork.tools.template"


def main() -> int:
    # Copier itself still runs with an older one than this repository's tools, whose version the linter knows.
    if sys.version_info < (3, 11):  # noqa: UP036
        print(
            "Copier runs with an older Python than 3.11; use `uvx --python 3.12 copier update --trust`.",
            file=sys.stderr,
        )
        return 1
    # Copier renders this checkout afterwards, bytecode and all.
    sys.dont_write_bytecode = True
    # The packages without their `__init__.py`, which import what Copier's Python does not have.
    for name in ("groundwork", "groundwork.tools", PACKAGE):
        package = ModuleType(name)
        package.__path__ = [str(CHECKOUT / "template/src" / name.replace(".", "/"))]
        sys.modules[name] = package
    code: int = import_module(f"{PACKAGE}.plain_update").run(CHECKOUT)
    return code


if __name__ == "__main__":
    sys.exit(main())
