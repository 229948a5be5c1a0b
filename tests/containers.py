"""Servers in containers, where a Docker engine answers; each process of a run starts its own."""

from functools import cache

from missing import Missing
from run_folder import RunFolder


@cache
def postgresql(run: RunFolder) -> str:
    _engine()
    from testcontainers.postgres import PostgresContainer

    return str(PostgresContainer("postgres:18", driver=None).start().get_connection_url())


@cache
def redis(run: RunFolder) -> str:
    _engine()
    from testcontainers.redis import RedisContainer

    container = RedisContainer("redis:8").start()
    return f"redis://{container.get_container_host_ip()}:{container.get_exposed_port(6379)}/0"


@cache
def rabbitmq(run: RunFolder) -> str:
    _engine()
    from testcontainers.rabbitmq import RabbitMqContainer

    container = RabbitMqContainer("rabbitmq:4").start()
    return f"amqp://guest:guest@{container.get_container_host_ip()}:{container.get_exposed_port(5672)}//"


def _engine() -> None:
    import docker

    try:
        docker.from_env(timeout=5).ping()
    except docker.errors.DockerException:
        raise Missing("no Docker engine answers") from None
