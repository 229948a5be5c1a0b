"""What a person does in a browser, from registration to a report that survives its worker, on real processes."""

from itertools import product
from pathlib import Path
from signal import SIGTERM

import psycopg
import pytest
from conftest import Generate, present_or_skipped
from playwright.sync_api import Locator, Page, expect

from browser import Window, chromium, window
from chaos_program import Program, until
from combinations import AXES
from launching import await_api
from run_folder import RunFolder
from serving import Serving, serving

pytestmark = pytest.mark.slow

ADA, PASSWORD = "ada@example.org", "correct horse battery"
expect.set_options(timeout=60_000)


@pytest.mark.parametrize(("broker", "database"), list(product(AXES["broker"], AXES["database"])))
def test_a_person_sees_jobs_live(
    generate: Generate, run_folder: RunFolder, workplace: Path, broker: str, database: str
) -> None:
    render = generate(broker=broker, database=database)
    with (
        present_or_skipped(),
        chromium() as browser,
        # Below a path too: the one variant has it, as the other might.
        serving(run_folder, render, workplace, broker, "/base" if database == "sync" else "") as service,
        window(browser, f"{broker}-{database}") as person,
    ):
        tab = person.open(service.url)
        register(person, tab)
        verify(person, service.url)
        sign_in(tab)
        expect(tab.get_by_role("status")).to_have_text("live")

        see_one_finish(tab)
        cancel_one(person, tab)
        second = in_a_second_tab(person, tab, service.url)
        see_one_in_more_tabs_than_a_browser_opens_connections(person, tab, service.url)
        kill_the_worker(tab, service.worker)
        restart_the_api(person, [tab, second], service)
        person.photograph(tab, "desk")

        tab.get_by_role("button", name="Sign out").click()
        for each in (tab, second):
            expect(each.get_by_role("heading", name="Sign in")).to_be_visible()
            expect(each.get_by_role("listitem")).to_have_count(0)
        look_at_the_page_for_administrators(person, tab, service)
        run_the_cancelled_one_again(tab, service.url)


def register(person: Window, tab: Page) -> None:
    tab.get_by_label("Address").fill(ADA)
    tab.get_by_label("Password", exact=True).fill(PASSWORD)
    person.photograph(tab, "door")
    tab.get_by_role("button", name="Register").click()
    expect(tab.get_by_role("alert")).to_contain_text("mail")


def verify(person: Window, url: str) -> None:
    """By the link in the message that /dev/mail shows once the worker has sent it."""
    outbox = person.open(f"{url}/dev/mail")
    message = outbox.get_by_role("link").filter(has_text=ADA)

    def arrived() -> bool:
        outbox.reload()
        return message.count() > 0

    until(arrived, "the message arrives")
    message.first.click()
    with person.context.expect_page() as opened:
        outbox.frame_locator("iframe").get_by_role("link").first.click()
    use_link(person, opened.value)
    outbox.close()


def use_link(person: Window, page: Page) -> None:
    """Where the link of the message leads."""
    page.get_by_role("button", name="Verify my address").click()
    expect(page.get_by_role("status")).to_contain_text("Your address is verified")
    person.photograph(page, "verified")
    page.close()


def sign_in(tab: Page) -> None:
    tab.get_by_label("Address").fill(ADA)
    tab.get_by_label("Password", exact=True).fill(PASSWORD)
    # What a person does who uses no mouse.
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", name="Your jobs")).to_be_visible()


def ask_for_a_report(tab: Page, days: int) -> Locator:
    """The newest of the list, which runs."""
    before = tab.get_by_role("listitem").count()
    tab.get_by_label("Days").fill(str(days))
    tab.get_by_role("button", name="Build a report").click()
    expect(tab.get_by_role("listitem")).to_have_count(before + 1)
    job = tab.locator(f"[id='{tab.get_by_role('listitem').first.get_attribute('id')}']")
    expect(job).to_have_attribute("data-status", "running")
    expect(job.get_by_text("Counting")).to_be_visible()
    return job


def see_one_finish(tab: Page) -> None:
    job = ask_for_a_report(tab, 20)
    # Found also once it is finished, and the bar hidden.
    bar = job.locator("progress")
    seen = {float(bar.evaluate("bar => bar.value"))}

    def it_ends() -> bool:
        seen.add(float(bar.evaluate("bar => bar.value")))
        return job.get_attribute("data-status") != "running"

    until(it_ends, "the report is finished", seconds=60)
    assert len(seen) > 2, f"its progress was {sorted(seen)}"
    expect(job).to_have_attribute("data-status", "succeeded")
    job.get_by_role("button", name="Show the report").click()
    expect(job.locator("pre")).to_contain_text("1")


def cancel_one(person: Window, tab: Page) -> None:
    job = ask_for_a_report(tab, 60)
    person.photograph(tab, "running")
    job.get_by_role("button", name="Cancel").click()
    expect(job).to_have_attribute("data-status", "cancelled")


def in_a_second_tab(person: Window, tab: Page, url: str) -> Page:
    def jobs_of(page: Page) -> list[str | None]:
        return [item.get_attribute("id") for item in page.get_by_role("listitem").all()]

    second = person.open(f"{url}/app")
    expect(second.get_by_role("listitem")).to_have_count(2)
    assert jobs_of(second) == jobs_of(tab)
    # Both tabs have used the refresh token by now, and nobody took that for a theft.
    tab.reload()
    expect(tab.get_by_role("listitem")).to_have_count(2)
    return second


def see_one_in_more_tabs_than_a_browser_opens_connections(person: Window, tab: Page, url: str) -> None:
    """Six to a server over HTTP/1.1, for all tabs together; whichever tab is closed, the others go on."""
    more = [person.open(f"{url}/app") for _ in range(8)]
    for each in more:
        expect(each.get_by_role("status")).to_have_text("live")
    more.pop().close()
    job = ask_for_a_report(tab, 20)
    name = job.get_attribute("id")
    for each in (tab, *more):
        expect(each.locator(f"[id='{name}']")).to_have_attribute("data-status", "succeeded")
    for each in more:
        each.close()


def kill_the_worker(tab: Page, worker: Program) -> None:
    job = ask_for_a_report(tab, 20)
    worker.end()
    worker.start()
    expect(job).to_have_attribute("data-status", "succeeded")
    expect(job).to_contain_text("attempt 2")


def restart_the_api(person: Window, tabs: list[Page], service: Serving) -> None:
    """Its streams have no end of their own, and it does not wait for them; the pages come back by themselves."""
    with person.forgiving("ERR_CONNECTION_REFUSED"):
        service.api.tell(SIGTERM)
        service.api.await_end()
        assert not service.api.outstayed
        for tab in tabs:
            expect(tab.get_by_role("status")).to_have_text("reconnecting ...")
        service.api.start()
        await_api(service.url)
        for tab in tabs:
            expect(tab.get_by_role("status")).to_have_text("live")
    see_one_finish(tabs[0])


def look_at_the_page_for_administrators(person: Window, tab: Page, service: Serving) -> None:
    """Its policy lets in no inline script or style: what the library still has of these would complain."""
    with psycopg.connect(service.database_url) as connection:
        connection.execute("UPDATE users SET admin = true")
    tab.goto(f"{service.url}/admin")
    tab.get_by_label("Address").fill(ADA)
    tab.get_by_label("Password").fill(PASSWORD)
    person.photograph(tab, "admin-door")
    tab.get_by_role("button", name="Sign in").click()
    tab.get_by_role("link", name="Jobs").click()
    expect(tab.get_by_role("row").filter(has_text="build_report")).to_have_count(5)
    person.photograph(tab, "admin-jobs")
    tab.get_by_role("row").filter(has_text="cancelled").get_by_role("link").click()
    expect(tab.get_by_text("cancel_requested_at")).to_be_visible()
    person.photograph(tab, "admin-job")
    tab.get_by_role("link", name="Logout").click()
    expect(tab.get_by_role("button", name="Sign in")).to_be_visible()


def run_the_cancelled_one_again(tab: Page, url: str) -> None:
    """As an administrator may, which this person is by now."""
    tab.goto(f"{url}/app")
    sign_in(tab)
    job = tab.get_by_role("listitem").and_(tab.locator("[data-status=cancelled]"))
    cancelled = tab.locator(f"[id='{job.get_attribute('id')}']")
    cancelled.get_by_role("button", name="Run again").click()
    expect(cancelled).to_have_attribute("data-status", "running")
    cancelled.get_by_role("button", name="Cancel").click()
    expect(cancelled).to_have_attribute("data-status", "cancelled")
