import re
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from html import escape, unescape
from typing import Any

import pytest
from jinja2 import UndefinedError

from groundwork.mail.rendering import example, names, render

# What the template's own code sends. Your messages need no button, and write numbers and times as they like.
OURS = [
    "account_deleted",
    "already_registered",
    "change_email",
    "email_changed",
    "job_failed",
    "new_sign_in",
    "password_changed",
    "password_reset",
    "test",
    "verify",
    "welcome",
]
every_message = pytest.mark.parametrize("name", names())
each_of_ours = pytest.mark.parametrize("name", OURS)


def one_line(text: str) -> str:
    return " ".join(text.split())


def words(html: str) -> str:
    """What a person reads of it: without the head, the tags and the lines."""
    return one_line(unescape(re.sub(r"<[^>]+>", " ", html.partition("</head>")[2])))


def texts(value: Any) -> list[str]:
    """In lists and tables too."""
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return [text for part in parts for text in texts(part)]
    return [value] if isinstance(value, str) else []


def with_each_text(value: Any, text: str) -> Any:
    """In lists and tables too."""
    if isinstance(value, dict):
        return {key: with_each_text(part, text) for key, part in value.items()}
    if isinstance(value, list):
        return [with_each_text(part, text) for part in value]
    return text if isinstance(value, str) else value


def test_our_messages_are_there() -> None:
    assert set(OURS) <= set(names())


@every_message
def test_both_bodies_say_each_text(name: str) -> None:
    values = example(name)

    message = render(name, "ada@example.org", **values)

    assert message.subject
    for text in texts(values):
        assert one_line(text) in one_line(message.text)
        # A link may stand behind a button.
        assert one_line(text) in words(message.html) or f'"{escape(text)}"' in message.html


@each_of_ours
def test_ours_say_each_number_and_time_and_their_link(name: str) -> None:
    values = example(name)

    message = render(name, "ada@example.org", **values)

    for value in values.values():
        said = f"{value:%H:%M} UTC" if isinstance(value, datetime) else str(value)
        assert said in message.text
        assert said in words(message.html)
    assert re.search(r'<td class="button"[^>]* style="[^"]*background: ', message.html)
    assert f'href="{escape(values["link"])}"' in message.html


@every_message
def test_a_forgotten_value_is_an_error(name: str) -> None:
    for forgotten in example(name):
        values = {key: value for key, value in example(name).items() if key != forgotten}
        with pytest.raises(UndefinedError, match=forgotten):
            render(name, "ada@example.org", **values)


@every_message
def test_values_cannot_smuggle_html_into_a_message(name: str) -> None:
    evil = '"><script>alert(1)</script>'

    message = render(name, "ada@example.org", **with_each_text(example(name), evil))

    # In the quoted value of an attribute it harms nobody.
    assert "script" not in re.findall(r'<(\w+)(?:[^>"]|"[^"]*")*>', message.html)
    assert evil in message.text or not texts(example(name))


@every_message
def test_html_looks_right_with_and_without_its_style_tag(name: str) -> None:
    html = render(name, "ada@example.org", **example(name)).html

    # Inlined, as some clients drop <style>; a style attribute cannot ask for the reader's colours or screen.
    assert re.search(r'<td class="card"[^>]* style="[^"]*background: ', html)
    assert re.search(r"<style>\s*@media", html)
    assert "@media (prefers-color-scheme: dark)" in html
    assert '<meta name="color-scheme" content="light dark">' in html
    # Outlook knows tables, and no max-width.
    assert '<!--[if mso]><table role="presentation" width="520"' in html
    assert html.count("<table") - html.count("<!--[if mso]><table") == html.count("</table>") - 1


@every_message
def test_the_line_beside_the_subject_is_not_the_first_line_of_the_body(name: str) -> None:
    html = render(name, "ada@example.org", **example(name)).html

    preview = re.search(r'<div class="preview" style="display: none;[^"]*">([^<]+)</div>', html)

    assert preview
    assert 10 < len(preview[1].partition("\u034f")[0].strip()) < 120


@every_message
def test_no_line_is_too_long_to_travel_as_it_is(name: str) -> None:
    message = render(name, "ada@example.org", **example(name))

    email = message_from_bytes(message.as_email("1").as_bytes(), policy=policy.default)

    assert {part["Content-Transfer-Encoding"] for part in email.iter_parts()} <= {"7bit", "8bit"}


def test_one_hour_is_not_many() -> None:
    message = render("verify", "ada@example.org", **example("verify") | {"hours": 1})

    assert "for 1 hour." in message.text
    assert "for 1 hour." in message.html


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30))])
def test_times_are_told_in_utc(zone: timezone) -> None:
    at = datetime(2030, 2, 1, 9, 5, tzinfo=UTC).astimezone(zone)

    message = render("password_changed", "ada@example.org", **example("password_changed") | {"at": at})

    assert "1 February 2030 at 09:05 UTC" in message.text
