"""Fixtures for the tests of one provider, beside those of the service in whose `tests` folder they run."""

from collections.abc import Iterator

import pytest
from provider_api import Api

from groundwork.settings import get_settings


@pytest.fixture
def carrier(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A local server in the provider's place, and the settings that lead to it."""
    with Api.serving() as api:
        for name, value in (api.settings | api.address()).items():
            monkeypatch.setattr(get_settings(), name, value)
        yield api
