from datetime import UTC, datetime
from html import unescape

import pytest
from fastapi.testclient import TestClient

from groundwork.mail.rendering import example, names


@pytest.mark.parametrize("name", names())
def test_every_template_has_a_preview(page: TestClient, name: str) -> None:
    url = f"/dev/mail/templates/{name}"

    listed = page.get("/dev/mail").text

    assert f'href="mail/templates/{name}"' in listed
    assert "broken</em>" not in listed
    assert 'class="note broken"' not in page.get(url).text
    assert str(example(name).get("link", "")) in unescape(page.get(f"{url}/html").text)


def test_a_template_that_cannot_be_rendered_says_why(page: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundwork.mail.outbox_page.example", lambda name: {"at": datetime.now(UTC), "link": "x"})

    assert "&#39;hours&#39; is undefined" in page.get("/dev/mail/templates/verify").text
