import pytest

from groundwork.mail.failures import ProviderMisconfigured
from groundwork.mail.message import Address, Message
from groundwork.mail.provider import check, send
from groundwork.settings import get_settings
from groundwork.testing import Outbox

MESSAGE = Message(to=(Address("ada@example.org"),), subject="Hello", text="Hi", html="<p>Hi</p>")


def test_mail_is_kept_where_the_doctor_says(outbox: Outbox) -> None:
    send(MESSAGE, "0001")

    assert [mail["Subject"] for mail in outbox()] == ["Hello"]
    assert get_settings().mail_outbox in check()


def test_the_doctor_warns_when_production_mails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "environment", "production")

    with pytest.raises(ProviderMisconfigured, match="nobody gets it"):
        check()
