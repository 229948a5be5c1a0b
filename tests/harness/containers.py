"""Servers in containers, where a Docker engine answers; each process of a run starts its own."""

from functools import cache
from typing import TYPE_CHECKING, TypeVar

from missing import Missing
from run_folder import RunFolder

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

Container = TypeVar("Container", bound="DockerContainer")


@cache
def postgresql(run: RunFolder) -> str:
    _engine()
    from testcontainers.postgres import PostgresContainer

    return str(_started(PostgresContainer("postgres:18", driver=None)).get_connection_url())


@cache
def redis(run: RunFolder) -> str:
    _engine()
    from testcontainers.redis import RedisContainer

    container = _started(RedisContainer("redis:8"))
    return f"redis://{container.get_container_host_ip()}:{container.get_exposed_port(6379)}/0"


@cache
def rabbitmq(run: RunFolder) -> str:
    _engine()
    from testcontainers.rabbitmq import RabbitMqContainer

    container = _started(RabbitMqContainer("rabbitmq:4"))
    return f"amqp://guest:guest@{container.get_container_host_ip()}:{container.get_exposed_port(5672)}//"


def _engine() -> None:
    import docker

    try:
        docker.from_env(timeout=5).ping()
    except docker.errors.DockerException:
        raise Missing("no Docker engine answers") from None


def _started(container: Container) -> Container:
    import docker

    try:
        return container.start()
    except docker.errors.DockerException as error:
        raise Missing(f"Docker starts no {container.image} ({error})") from error
    except Exception as error:
        # Each kind of container has its own for not getting ready.
        container.stop()
        raise Missing(f"{container.image} does not get ready in Docker ({error!r})") from error
