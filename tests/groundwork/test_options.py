"""An option of Celery means for a job what it means for a plain task, or is refused."""

from typing import Any

import pytest
from celery import Celery
from work import act

from groundwork.jobs.options import REFUSED
from groundwork.jobs.task import JobTask


@pytest.fixture
def other() -> Celery:
    """An application that nothing else knows."""
    return Celery("other", set_as_current=False)


@pytest.mark.parametrize("option", REFUSED)
def test_an_option_that_jobs_do_not_have_is_refused_with_the_remedy(other: Celery, option: str) -> None:
    define: Any = other.task

    with pytest.raises(TypeError, match=f"^slow has {option}=5, which jobs do not have: .+"):
        define(base=JobTask, name="slow", lazy=False, **{option: 5})(act.run)


def test_so_it_is_in_a_base_class_of_ones_own(other: Celery) -> None:
    class Slowly(JobTask):
        rate_limit = "1/m"

    with pytest.raises(TypeError, match="rate_limit='1/m'"):
        other.task(base=Slowly, name="slow", lazy=False)(act.run)


@pytest.mark.parametrize(
    ("setting", "value"), [("task_default_rate_limit", "1/m"), ("task_annotations", {"*": {"rate_limit": "1/m"}})]
)
def test_so_it_is_in_the_settings(other: Celery, setting: str, value: object) -> None:
    other.conf[setting] = value

    with pytest.raises(TypeError, match="rate_limit='1/m'"):
        other.task(base=JobTask, name="slow", lazy=False)(act.run)
