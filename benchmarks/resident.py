"""The memory of the service's processes that answer no requests: a worker, its child, and the relay."""

from time import sleep

from applications import Application
from contenders import Program
from processes import started
from run_folder import RunFolder
from serving import composed_worker
from turns import REST, mebibytes

__all__ = ["resident"]


def resident(run: RunFolder, application: Application) -> dict[str, float]:
    """MiB of each process at rest, by its name."""
    service = application.service
    worker = Program((*composed_worker(service.folder), "-c", "1"), " ready.")
    relay = Program(("app", "relay"), "relay listens")
    environment = service.variables
    with (
        started(run, service, worker, run.path / "worker.log", environment) as parent,
        started(run, service, relay, run.path / "relay.log", environment) as other,
    ):
        sleep(REST)
        (child,) = parent.children()
        processes = {"worker": parent, "its child": child, "relay": other}
        return {name: mebibytes(process) for name, process in processes.items()}
