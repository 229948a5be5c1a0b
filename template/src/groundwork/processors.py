"""The processors that this process may use."""

from importlib import import_module

__all__ = ["processors"]


def processors() -> int:
    """At least one. A container's quota and the affinity of the process count, not the processors of the machine."""
    # celery-types does not know it yet.
    return int(import_module("celery.utils.sysinfo").cpu_budget().count)
