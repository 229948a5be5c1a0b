"""Whether the provider knows our key, which `app doctor` asks it where an answer means that alone."""

import pytest
from provider_api import Api
from provider_server import Answer

from groundwork.mail import provider
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured
from groundwork.mail.message import Address, Message

MESSAGE = Message(to=(Address("ada@example.org"),), subject="Hello", text="Hi", html="<p>Hi</p>")


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


def test_another_server_is_told_from_the_provider(carrier: Api) -> None:
    page = b"<h1>Not found</h1>"

    for answer in (Answer(200, page), Answer(404, page), Answer(301, b"", {"Location": "https://example.org/"})):
        carrier.will_say(answer)
        with pytest.raises(ProviderMisconfigured):
            provider.check()
        carrier.will(answer)
        with pytest.raises(ProviderMisconfigured):
            provider.send(MESSAGE, "0001")


def test_a_key_that_the_provider_repeats_is_not_repeated(carrier: Api) -> None:
    # AWS is told no secret, and cannot repeat it.
    for secret in Api.secrets & set(Api.settings.values()):
        # Half of it would be within the words that are kept.
        carrier.will(Answer(400, {"message": "x" * 270 + secret * 3}))
        with pytest.raises(PermanentFailure, match="xxx") as refused:
            provider.send(MESSAGE, "0001")
        assert secret[:4] not in str(refused.value)
