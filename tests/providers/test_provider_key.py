"""Whether the provider knows our key, which `app doctor` asks it where an answer means that alone."""

import pytest
from provider_api import Api

from groundwork.mail import provider
from groundwork.mail.failures import ProviderMisconfigured


def test_a_key_that_is_refused_is_told_from_one_that_may_only_send(carrier: Api) -> None:
    healthy = provider.check()

    for answer in Api.refuses_key:
        carrier.will_say(answer)
        with pytest.raises(ProviderMisconfigured, match=str(answer.status)):
            provider.check()
    for answer in Api.spares_key:
        carrier.will_say(answer)
        assert provider.check() == healthy
    # Nothing is sent for it.
    assert carrier.requests == []
