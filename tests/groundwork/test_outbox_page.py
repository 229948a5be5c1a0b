import os
import re
from email.message import EmailMessage
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from groundwork.broker import SCHEMES
from groundwork.mail.delivery import deliver
from groundwork.mail.rendering import example, render
from groundwork.settings import get_settings
from groundwork.testing import SetVariable

ROW = re.compile(r'href="mail/messages/([^"]+)"')


def sent(name: str, key: str = "0001") -> str:
    """The file name of a real message in the outbox."""
    return Path(deliver(render(name, "ada@example.org", **example(name)), idempotency_key=key)).name


def an_email(html: str = "<p>Hi</p>") -> EmailMessage:
    """Such as another program makes."""
    email = EmailMessage()
    email["From"], email["To"], email["Subject"] = "a@example.org", "b@example.org", "<b>Hi</b>"
    email.set_content("Hi <i>there</i>, see http://127.0.0.1:8000/account/verify#token=x")
    email.add_alternative(html, subtype="html")
    return email


def written(content: bytes) -> str:
    """The address of a file's page, put into the outbox as it is."""
    folder = Path(get_settings().mail_outbox)
    folder.mkdir(exist_ok=True)
    (folder / "written.eml").write_bytes(content)
    return "/dev/mail/messages/written.eml"


@pytest.mark.parametrize("environment", ["production", "test"])
def test_the_page_is_not_there_outside_of_development(set_variable: SetVariable, environment: str) -> None:
    set_variable("ENVIRONMENT", environment)
    # Production refuses memory://.
    set_variable("BROKER_URL", f"{next(iter(SCHEMES))}://127.0.0.1:0")
    client = TestClient(create_app(), base_url="http://127.0.0.1")

    for path in ("", "/style.css", "/templates/verify", "/templates/verify/html", "/messages/x.eml"):
        assert client.get(f"/dev/mail{path}").status_code == 404


def test_messages_are_listed_newest_first(page: TestClient) -> None:
    files = [sent(name, key) for name, key in [("welcome", "0002"), ("verify", "0001"), ("job_failed", "0003")]]
    for age, file in enumerate(files):
        os.utime(Path(get_settings().mail_outbox, file), (1000 - age, 1000 - age))

    assert ROW.findall(page.get("/dev/mail").text) == files


def test_a_message_shows_its_text_its_headers_and_its_source(page: TestClient) -> None:
    url = f"/dev/mail/messages/{sent('verify')}"

    assert (
        f'src="{url.rpartition("/")[2]}/html" sandbox="allow-popups allow-popups-to-escape-sandbox"'
        in page.get(url).text
    )
    assert "Open this link to verify your address" in page.get(f"{url}?view=text").text
    assert "Message-ID: &lt;0001@example.com&gt;" in page.get(f"{url}?view=headers").text
    assert "&lt;!DOCTYPE html&gt;" in page.get(f"{url}?view=source").text


def test_links_are_clickable_in_the_frame_and_in_the_text(page: TestClient) -> None:
    url = written(an_email('<html><HEAD lang="en"></head><a href="https://example.org">x</a></html>').as_bytes())

    assert '<HEAD lang="en"><base target="_blank">' in page.get(f"{url}/html").text
    link = '<a href="http://127.0.0.1:8000/account/verify#token=x" rel="noopener" target="_blank">'
    assert link in page.get(f"{url}?view=text").text


def test_nothing_in_a_message_can_run(page: TestClient) -> None:
    url = written(an_email("<script>alert(1)</script>").as_bytes())

    outer, inner = page.get(url), page.get(f"{url}/html")

    assert "default-src 'none'" in outer.headers["Content-Security-Policy"]
    assert "unsafe" not in outer.headers["Content-Security-Policy"]
    assert "<script" not in outer.text
    assert "style=" not in outer.text
    assert "<b>Hi</b>" not in outer.text
    assert "<i>there</i>" not in page.get(f"{url}?view=text").text
    policy = inner.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'")
    assert "allow-scripts" not in outer.text + policy
    assert "allow-same-origin" not in outer.text + policy


def test_attachments_are_downloaded_and_never_shown(page: TestClient) -> None:
    email = an_email()
    email.add_attachment(b"a,b", "text", "csv", filename="Zählung.csv")
    email.add_attachment(b"<script>", "text", "html", filename='"; x=y.html')
    email.add_attachment(b"<svg>", "image", "svg+xml")
    url = written(email.as_bytes())

    replies = [page.get(f"{url}/attachments/{number}") for number in (1, 2, 3)]

    assert [reply.content for reply in replies] == [b"a,b", b"<script>", b"<svg>"]
    kinds = [reply.headers["Content-Type"].partition(";")[0] for reply in replies]
    assert kinds == ["text/csv", "application/octet-stream", "application/octet-stream"]
    assert all(reply.headers["Content-Disposition"].startswith("attachment; ") for reply in replies)
    assert all(reply.headers["X-Content-Type-Options"] == "nosniff" for reply in replies)
    assert "Z%C3%A4hlung.csv" in replies[0].headers["Content-Disposition"]
    assert "Zählung.csv</a>" in page.get(url).text
    assert {page.get(f"{url}/attachments/{number}").status_code for number in (0, 4, -1)} == {404}


def test_an_image_of_the_message_itself_is_in_the_frame(page: TestClient) -> None:
    email = an_email('<img src="cid:logo">')
    html = email.get_body(("html",))
    assert html is not None
    html.add_related(b"PNG", "image", "png", cid="<logo>")

    frame = page.get(f"{written(email.as_bytes())}/html").text

    assert '<img src="data:image/png;base64,UE5H">' in frame


@pytest.mark.parametrize("name", ["..%2fsecret.eml", "%2e%2e%2fsecret.eml", "..%5csecret.eml", "%2e%2e", "notes.txt"])
def test_only_what_the_list_shows_can_be_opened(page: TestClient, tmp_path: Path, name: str) -> None:
    written(an_email().as_bytes())
    (tmp_path / "secret.eml").write_text("the secret")
    (tmp_path / "outbox/notes.txt").write_text("the secret")

    for kind in ("messages", "templates"):
        for rest in ("", "/html", "/attachments/1"):
            reply = page.get(f"/dev/mail/{kind}/{name}{rest}")
            assert reply.status_code == 404
            assert "the secret" not in reply.text


HEAD = b"From: a@example.org\nTo: b@example.org\nSubject: x\nContent-Type: "


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\xff\xfe no mail at all",
        b" ",
        HEAD + b"text/plain; charset=klingon\n\n\xff",
        HEAD + b"multipart/mixed; boundary=b\n\n--b\n\ncut o",
        b"From: =?utf-8?q?\nTo: <\nSubject: =?x\nDate: never\nContent-Type: multipart/mixed\n\n",
    ],
)
def test_a_broken_file_is_shown_as_such(page: TestClient, content: bytes) -> None:
    other = sent("verify")
    url = written(content)

    reply, listed = page.get(url), page.get("/dev/mail")

    assert reply.status_code == listed.status_code == 200
    assert 'class="note broken"' in reply.text
    assert listed.text.count("broken</em>") == 1
    assert set(ROW.findall(listed.text)) == {other, "written.eml"}


def test_an_empty_outbox_says_what_to_do(page: TestClient) -> None:
    assert "No mail yet" in page.get("/dev/mail").text


def test_with_a_catcher_the_page_says_where_mail_is(page: TestClient, set_variable: SetVariable) -> None:
    set_variable("MAIL_OUTBOX", "smtp://localhost:1025")

    assert "<code>smtp://localhost:1025</code>" in page.get("/dev/mail").text
    assert page.get("/dev/mail/messages/x.eml").status_code == 404
