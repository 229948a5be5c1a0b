"""What the groundwork exports is documented."""

import inspect
from importlib import import_module
from pkgutil import iter_modules

import groundwork


def test_each_exported_class_and_function_has_a_docstring() -> None:
    packages = [f"groundwork.{module.name}" for module in iter_modules(groundwork.__path__) if module.ispkg]
    exported = {
        f"{package}.{name}": getattr(import_module(package), name)
        for package in packages
        for name in import_module(package).__all__
    }
    documented = {
        name: export.__dict__.get("__doc__") if inspect.isclass(export) else inspect.unwrap(export).__doc__
        for name, export in exported.items()
        if inspect.isclass(export) or inspect.isfunction(inspect.unwrap(export))
    }

    assert len(documented) > 60
    assert [name for name, text in documented.items() if not text] == []
