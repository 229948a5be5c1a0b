"""Every ring can fail: each fault that it is there to find turns it red, for the reason that it is."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import copier
import pytest
from conftest import present_or_skipped

from combinations import DEFAULTS, TEMPLATE, Answers, as_only
from run_folder import RunFolder
from services import database, namespace, url_of
from snapshot import snapshot
from suite import UV, add_ring, execute, place, ring_commands

Break = Callable[[Path], None]

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Fault:
    """What is broken in a copy of the template, which tests look for it, and what they say."""

    name: str
    breaks: Break
    found_by: str
    says: str
    answers: tuple[tuple[str, str], ...] = ()


def replace(file: str, old: str, new: str) -> Break:
    def apply(template: Path) -> None:
        path = template / file
        text = path.read_text()
        assert old in text, f"{old!r} is not in {file}: choose another fault"
        path.write_text(text.replace(old, new, 1))

    return apply


RENDERS, RUNS = "tests/template/test_combinations.py", "tests/template/test_matrix.py"
FAULTS = [
    Fault(
        "a broken file",
        replace("template/src/groundwork/tools/terminal.py", "def ", "def def "),
        RENDERS,
        r"SyntaxError|invalid syntax",
    ),
    Fault("a Jinja tag left over", replace("template/alembic.ini", "[", "{# note #}\n["), RENDERS, r"alembic\.ini"),
    Fault(
        "a misspelt answer in a file",
        replace("template/pyproject.toml.jinja", "{{ celery_requirement }}", "{{ celery_requirment }}"),
        RENDERS,
        r"'celery_requirment' is undefined",
    ),
    Fault(
        "a misspelt choice",
        replace("copier.yml", ": resend", ": resned"),
        RENDERS,
        r"variants/email/resned/\w+\.py",
        (("email_provider", "resned"),),
    ),
    Fault(
        "a choice without a variant",
        replace("copier.yml", "  default: outbox", "    Pigeon Post: pigeon\n  default: outbox"),
        RENDERS,
        r"variants/email/pigeon/\w+\.py",
        (("email_provider", "pigeon"),),
    ),
    Fault(
        "a line that is not formatted",
        replace("variants/database/async.py", " = ", "  =  "),
        RENDERS,
        r"ruff format --check",
    ),
    Fault(
        "a dependency that nobody declares",
        replace("template/pyproject.toml.jinja", '    "css-inline>=0.23",\n', ""),
        RUNS,
        r'module named "css_inline"',
    ),
    Fault(
        "a wrong type",
        replace(
            "template/src/groundwork/jobs/publishing.py", "return Look(0, more=False, ", "return Look(0, more=None, "
        ),
        RUNS,
        r"uv run mypy .* ended with 1",
    ),
    Fault(
        "a provider's wrong address",
        replace("variants/email/resend/settings.py", "https://api.resend.com", "https://api.resend.test"),
        RUNS,
        r"FAILED tests/providers/test_provider_contract\.py::test_the_addresses_are_the_documented_ones",
        (("email_provider", "resend"), ("broker", "redis"), ("database", "sync")),
    ),
    Fault(
        "a commit that is forgotten",
        replace("template/src/app/accounts/routes/users.py.jinja", "await session.commit()", "await session.flush()"),
        RUNS,
        r"FAILED tests/test_registration\.py::test_whoever_registers_has_an_account_once_they_use_the_mailed_link",
    ),
]


GROUNDWORK = "template/src/groundwork"


@dataclass(frozen=True)
class Breach:
    """A guarantee that is taken from a copy of the template, and the test of a ring that misses it."""

    name: str
    breaks: Break
    missed_by: str
    provider: str = "outbox"
    answers: tuple[tuple[str, str], ...] = ()

    @property
    def ring(self) -> str:
        """The name of its folder; empty for the own suite."""
        return self.missed_by.partition("/")[0] if "/" in self.missed_by else ""


BREACHES = [
    Breach(
        "the fence: an attempt that lost its lease commits",
        replace(f"{GROUNDWORK}/jobs/transitions.py", ', Job.token == bindparam("my_token"))', ")"),
        "groundwork/test_runner.py::test_a_worker_that_lost_its_lease_keeps_nothing",
    ),
    Breach(
        "the claim: a message that comes twice runs twice",
        replace(
            f"{GROUNDWORK}/jobs/transitions.py",
            "Job.status == Status.QUEUED, Job.run_at <= NOW)\n    .values(",
            "Job.run_at <= NOW)\n    .values(",
        ),
        "groundwork/test_runner.py::test_a_message_delivered_three_times_has_one_effect",
    ),
    Breach(
        "the claim: of whatever task the job is",
        replace(f"{GROUNDWORK}/jobs/transitions.py", 'Job.task == bindparam("its_task"), Job.status', "Job.status"),
        "groundwork/test_hostile_messages.py::test_a_message_runs_no_other_task_than_that_of_the_job",
    ),
    Breach(
        "the worker: Celery's own consumer",
        replace(
            f"{GROUNDWORK}/jobs/worker.py",
            '        "worker_consumer": "groundwork.jobs.consumer:CarefulConsumer",\n',
            "",
        ),
        "groundwork/test_hostile_messages.py::test_a_worker_drops_what_it_cannot_understand_and_goes_on",
    ),
    Breach(
        "one transaction: the effect is committed before the result",
        replace(
            f"{GROUNDWORK}/jobs/attempt.py",
            "                    said = self.work(session)\n",
            "                    said = self.work(session)\n                    guard.ending = True\n"
            "                    session.commit()\n",
        ),
        "groundwork/test_runner.py::test_a_worker_that_lost_its_lease_keeps_nothing",
    ),
    Breach(
        "one transaction: a task commits it",
        replace(f"{GROUNDWORK}/jobs/one_transaction.py", '        "commit": _commits,\n', ""),
        "groundwork/test_one_transaction.py::test_those_that_share_its_transaction_have_their_effect_once",
    ),
    Breach(
        "the lease: nobody extends it",
        replace(f"{GROUNDWORK}/jobs/heartbeat.py", "extend(EXTEND, now_running)", "pass"),
        "groundwork/test_runner.py::test_the_lease_of_a_long_job_is_extended_while_it_runs",
    ),
    Breach(
        "the relay: what the broker refused is not due again",
        replace(f"{GROUNDWORK}/jobs/publishing.py", "            if unsent:\n", "            if False:\n"),
        "groundwork/test_relay.py::test_a_queue_that_refuses_messages_holds_up_no_other",
    ),
    Breach(
        "the window: a relay publishes the whole backlog",
        replace(f"{GROUNDWORK}/jobs/publishing.py", "WINDOW - row.published)", "WINDOW)"),
        "groundwork/test_relay.py::test_a_window_of_each_queue_is_published_and_no_more",
    ),
    Breach(
        "the window: what waits for a worker is sent again and again",
        replace(
            f"{GROUNDWORK}/jobs/publishing.py", "published[name] - messages_in(self._celery, name)", "published[name]"
        ),
        "groundwork/test_relay.py::test_a_message_that_waits_for_a_worker_is_not_sent_again",
    ),
    Breach(
        "the relay: two of them publish the same jobs",
        replace(f"{GROUNDWORK}/jobs/backlog.py", "LIMIT open.room FOR UPDATE SKIP LOCKED", "LIMIT open.room"),
        "groundwork/test_relay.py::test_relays_side_by_side_publish_each_job_once",
    ),
    Breach(
        "the schedule: each relay enqueues the job of a tick",
        replace(
            f"{GROUNDWORK}/jobs/entries.py",
            "if session.execute(moved).one_or_none() is None:",
            "if session.execute(moved) is None:",
        ),
        "groundwork/test_schedule.py::test_relays_side_by_side_make_one_job_of_a_tick",
    ),
    Breach(
        "the death of a worker: its job waits for the lease",
        replace(f"{GROUNDWORK}/jobs/supervisor.py", "_write(WORKER_LOST, [here])", "pass"),
        "groundwork/test_supervisor.py::test_the_main_process_writes_down_how_a_process_ended",
    ),
    Breach(
        "cancelling: a cancelled job is retried",
        replace(
            f"{GROUNDWORK}/jobs/transitions.py", "MINE.where(_cancelled).values(", "MINE.where(~_cancelled).values("
        ),
        "groundwork/test_cancelling.py::test_a_cancelled_job_stops_where_it_asks_and_keeps_nothing",
    ),
    Breach(
        "cancelling: the jobs of a deactivated person run",
        replace("template/src/app/accounts/service.py.jinja", "    await cancel_all(session, user_id)\n", ""),
        "groundwork/test_cancelling.py::test_the_jobs_of_a_deactivated_person_are_cancelled",
    ),
    Breach(
        "mail: it waits behind all other jobs",
        replace(f"{GROUNDWORK}/jobs/task.py", "    job_queue = MAIL\n", ""),
        "groundwork/test_mail_queue.py::test_a_link_is_mailed_while_many_long_jobs_wait",
    ),
    Breach(
        "the bound of a person's jobs",
        replace(f"{GROUNDWORK}/jobs/jobs_per_person.py", "            raise TooManyJobs\n", "            pass\n"),
        "groundwork/test_jobs_per_person.py::test_a_person_has_a_bounded_number_of_unfinished_jobs",
    ),
    Breach(
        "one's own: a stream shows the jobs of everybody",
        replace(f"{GROUNDWORK}/jobs/feed.py", "WHERE owner_id = %(owner)s AND id = ANY", "WHERE id = ANY"),
        "groundwork/test_live.py::test_a_socket_of_one_job_shows_no_other_and_none_of_somebody_else",
    ),
    Breach(
        "the ticket: an access token opens a socket",
        replace(f"{GROUNDWORK}/jobs/events.py", 'read_token("ticket", ticket)', 'read_token("access", ticket)'),
        "groundwork/test_live.py::test_no_socket_without_a_ticket_or_from_another_sites_page",
    ),
    Breach(
        "the end of a sign-in: its streams go on",
        replace(
            f"{GROUNDWORK}/jobs/watchers.py",
            "                subscription.drop(*SIGNED_OUT)\n",
            "                pass\n",
        ),
        "groundwork/test_watchers.py::test_streams_and_sockets_end_within_two_seconds_with_the_sign_in",
    ),
    Breach(
        "the bound of a person's streams",
        replace(f"{GROUNDWORK}/jobs/watchers.py", "            raise TooManyStreams\n", "            pass\n"),
        "groundwork/test_watchers.py::test_a_person_has_a_bounded_number_of_streams_and_sockets",
    ),
    Breach(
        "the headers: an answer lets a browser do what it likes",
        replace(f"{GROUNDWORK}/http/request_log.py", '*message["headers"], *more, ', '*message["headers"], '),
        "groundwork/test_http.py::test_every_answer_has_the_headers_that_keep_browsers_from_mischief",
    ),
    Breach(
        "the log: whoever listens in the way of Sentry hears nothing",
        replace(f"{GROUNDWORK}/output.py", " or _steps(type(logger)) != STEPS", ""),
        "groundwork/test_output.py::test_whoever_listens_hears_each_line",
    ),
    Breach(
        "the patience: a client that reads nothing keeps its request",
        replace(f"{GROUNDWORK}/http/in_time.py", "elif waiting and now >=", "elif now < 0 and now >="),
        "groundwork/test_in_time.py::test_a_client_that_takes_no_more_is_given_up",
    ),
    Breach(
        "the bound of a body",
        replace(f"{GROUNDWORK}/http/middleware.py", "    api.add_middleware(Bounds, settings=settings)\n", ""),
        "groundwork/test_http.py::test_a_large_request_is_refused_whether_it_says_so_or_not",
    ),
    Breach(
        "the bound of a head",
        replace(f"{GROUNDWORK}/server.py", "self.size > MOST_BYTES or self.fields > MOST_FIELDS", "False"),
        "groundwork/test_server.py::test_a_large_head_is_refused",
    ),
    Breach(
        "the time of a head",
        replace(f"{GROUNDWORK}/server.py", "        self.transport.abort()\n", ""),
        "groundwork/test_server.py::test_a_connection_without_a_request_ends",
    ),
    Breach(
        "the time of an answer",
        replace(
            f"{GROUNDWORK}/sockets.py",
            "            self.transport.abort()\n            return\n",
            "            return\n",
        ),
        "groundwork/test_server.py::test_a_client_that_takes_nothing_of_an_answer_loses_its_connection",
    ),
    Breach(
        "what a socket's client says",
        replace(f"{GROUNDWORK}/sockets.py", "self.said > MOST_SAID * unit", "False"),
        "groundwork/test_hung_clients.py::test_a_socket_whose_client_says_too_much_ends",
    ),
    Breach(
        "the codec of a body: the client chooses it",
        replace(
            f"{GROUNDWORK}/http/bounds.py",
            "        elif any(_refused(kind, scope) for kind in kinds):\n",
            "        elif False:\n",
        ),
        "groundwork/test_bounds.py::test_a_form_is_urlencoded_and_in_utf_8",
    ),
    Breach(
        "the connection: it is kept while a client sends",
        replace(
            f"{GROUNDWORK}/mail/routes.py.jinja",
            "read: Annotated[tuple[Callback, Received | CallbackRefused], Depends(_read)], session: SessionDep",
            "session: SessionDep, read: Annotated[tuple[Callback, Received | CallbackRefused], Depends(_read)]",
        ),
        "test_permissions.py::test_every_route_answers_as_the_table_says",
        answers=(("database", "sync"),),
    ),
    Breach(
        "the turn of who computes",
        replace(
            "template/src/app/accounts/routes/sign_ins.py.jinja", "dependencies=[COMPUTES], responses=", "responses="
        ),
        "groundwork/test_connections.py::test_no_route_keeps_a_connection_while_it_hashes",
        answers=(("database", "sync"),),
    ),
    Breach(
        "the time of a password",
        replace("template/src/app/accounts/passwords.py", "<= 16 * 32**2", "<= 10**9"),
        "groundwork/test_bounds.py::test_no_password_keeps_a_process_busy",
    ),
    Breach(
        "tokens: any signature is believed",
        replace(
            f"{GROUNDWORK}/http/tokens.py",
            "header != HEADER or not any(compare_digest(signature, ours) for ours in _digests(signed.encode()))",
            "header != HEADER",
        ),
        "groundwork/test_forgeries.py::test_fifty_forged_tokens_sign_nobody_in",
    ),
    Breach(
        "tokens: they never expire",
        replace(f"{GROUNDWORK}/http/tokens.py", 'int(claims["exp"]) <= now or ', ""),
        "groundwork/test_forgeries.py::test_fifty_forged_tokens_sign_nobody_in",
    ),
    Breach(
        "the current user: a deactivated one goes on",
        replace(
            "template/src/app/accounts/auth.py.jinja",
            "SignIn.ended_at.is_(None), User.deactivated_at",
            "SignIn.ended_at",
        ),
        "groundwork/test_current_user.py::test_who_is_signed_in_no_more_is_refused_at_once",
    ),
    Breach(
        "the figures of the service are for everybody",
        replace(f"{GROUNDWORK}/http/tokens.py", "return secret is not None and", "return True or"),
        "groundwork/test_health.py::test_strangers_learn_only_that_the_service_answers",
    ),
    Breach(
        "DNS rebinding in development",
        replace(
            f"{GROUNDWORK}/http/hosts.py",
            '    if settings.environment == "test":',
            '    if settings.environment != "production":',
        ),
        "groundwork/test_http.py::test_in_development_only_this_machine_has_names",
    ),
    Breach(
        "the outbox is for everybody on the machine",
        replace(f"{GROUNDWORK}/mail/outbox.py", "flags, 0o600)", "flags)"),
        "groundwork/test_mail.py::test_nobody_else_on_the_machine_reads_the_outbox",
    ),
    Breach(
        "the password in a URL",
        replace(f"{GROUNDWORK}/urls.py", 'if name in {"host", "port"}', "if True"),
        "groundwork/test_doctor.py::test_the_doctor_shows_no_password",
    ),
    Breach(
        "the limit of tries",
        replace(f"{GROUNDWORK}/http/throttle.py.jinja", "if tries > bounds[key]}", "if tries > bounds[key] + 100}"),
        "test_limits.py::test_passwords_of_one_address_are_tried_ten_times",
    ),
    Breach(
        "the limit of an address: what one network is refused counts for all",
        replace(
            f"{GROUNDWORK}/http/throttle.py.jinja", "if email and not over and not known:", "if email and not known:"
        ),
        "groundwork/test_throttle.py::test_a_stranger_shuts_out_nobody_but_themselves",
    ),
    Breach(
        "the mailbox: each of those who ask may fill it",
        replace(
            f"{GROUNDWORK}/http/throttle.py.jinja",
            "not (over or await self._count(limit, _anywhere(limit, email)))",
            "not over",
        ),
        "groundwork/test_throttle.py::test_mail_to_a_new_address_counts_for_its_mailbox_whoever_asks",
    ),
    Breach(
        "the theft of a refresh token: it is answered for ever",
        replace("template/src/app/accounts/sign_ins.py.jinja", "elif not again or ", "elif "),
        "groundwork/test_forgeries.py::test_who_lost_the_answer_gets_the_same_token_again_for_half_a_minute",
    ),
    Breach(
        "the signature of a webhook",
        replace(
            f"{GROUNDWORK}/mail/callback.py",
            "if not sum(hmac.compare_digest",
            "if False and not sum(hmac.compare_digest",
        ),
        "providers/test_webhook_contract.py::test_what_was_changed_is_not_believed",
        "resend",
    ),
    Breach(
        "the age of a webhook",
        replace(f"{GROUNDWORK}/mail/callback.py", "if not age <= tolerance:", "if not age <= tolerance * 1000:"),
        "providers/test_webhook_contract.py::test_what_was_changed_is_not_believed",
        "resend",
    ),
    Breach(
        "the signature of a report that is not kept proves another one",
        replace("variants/email/mailgun/webhook.py", "    callback.used_up.append(token)\n", ""),
        "providers/test_provider.py::test_a_signature_of_a_report_that_was_not_kept_proves_no_other",
        "mailgun",
    ),
    Breach(
        "administrators: anybody may list users",
        replace("template/src/app/accounts/auth.py.jinja", "    if not user.admin:\n        raise NotAdmin\n", ""),
        "test_permissions.py::test_every_route_answers_as_the_table_says",
    ),
    Breach(
        "registrations: a link makes the account with somebody else's password",
        replace(
            "template/src/app/accounts/service.py.jinja",
            "usable = select(Registration).where(Registration.hash == hash_secret(secret), ",
            "usable = select(Registration).where(",
        ),
        "test_registration.py::test_each_link_makes_the_account_with_its_own_password",
    ),
    Breach(
        "registrations: a link takes an account from its owner",
        replace("template/src/app/accounts/service.py.jinja", "User.password_hash.is_(None) & ", ""),
        "test_registration.py::test_a_link_makes_no_account_of_an_address_that_has_one_meanwhile",
    ),
    Breach(
        "a change of address: a click is enough",
        replace(
            "template/src/app/accounts/routes/links.py.jinja",
            "        await confirm(session, user, confirmed.current_password, client)\n",
            "",
        ),
        "test_account.py::test_a_new_address_counts_once_it_is_confirmed_and_the_old_one_gets_a_notice",
    ),
    Breach(
        "links: what ends sign-ins ends no link",
        replace("template/src/app/accounts/sign_ins.py.jinja", "    await cancel_links(session, user_id)\n", ""),
        "groundwork/test_mailed_links.py::test_links_that_wait_to_be_mailed_are_not",
    ),
    Breach(
        "links: one of a deactivated account works",
        replace(
            "template/src/app/accounts/sign_ins.py.jinja", ", User.deactivated_at.is_(None))\n    user", ")\n    user"
        ),
        "groundwork/test_mailed_links.py::test_no_link_changes_a_deactivated_account_however_it_was_deactivated",
    ),
    Breach(
        "passwords: an empty hash is one",
        replace("template/migrations/versions/0004_registrations.py", "\"password_hash <> '' AND ", '"'),
        "groundwork/test_mailed_links.py::test_without_a_password_nobody_signs_in",
    ),
    Breach(
        "jobs keep the address of somebody who is deleted",
        replace("template/src/app/accounts/tasks.py", "    job.forget_arguments()\n", ""),
        "groundwork/test_mailed_links.py::test_of_a_deleted_person_no_job_keeps_an_address",
    ),
]


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: breach.name)
def test_a_ring_misses_what_is_taken_from_it(tmp_path: Path, run_folder: RunFolder, breach: Breach) -> None:
    mutant, project = tmp_path / "template", tmp_path / "project"
    snapshot(TEMPLATE, mutant)
    breach.breaks(mutant)
    answers = {"email_provider": breach.provider, **dict(breach.answers)}
    copier.run_copy(str(mutant), project, data=answers, defaults=True, quiet=True)
    if breach.ring:
        add_ring(project, breach.ring, breach.provider)
    with present_or_skipped():
        url_of(run_folder, "postgresql")
        url_of(run_folder, "redis")

    sync, *_, pytest_command = ring_commands(breach.ring) if breach.ring else ("uv sync", "uv run pytest tests")
    command = pytest_command.replace(f"pytest tests/{breach.ring}".rstrip("/"), f"pytest -x tests/{breach.missed_by}")
    with database(run_folder) as database_url, namespace(run_folder, "redis") as broker_url:
        services = {"TEST_DATABASE_URL": database_url, "TEST_BROKER_URL": broker_url}
        environment = place().environment(sys.executable) | services
        folder = place().put(project)
        execute("bash", "-ec", f"{sync} --quiet", cwd=folder, **environment)
        with pytest.raises(AssertionError) as red:
            execute("bash", "-ec", command, cwd=folder, **environment)

    assert f"FAILED tests/{breach.missed_by}" in str(red.value)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_matrix_turns_red(tmp_path: Path, run_folder: RunFolder, fault: Fault) -> None:
    mutant = tmp_path / "template"
    snapshot(TEMPLATE, mutant)
    fault.breaks(mutant)

    with ExitStack() as held:
        services = {}
        if fault.found_by == RUNS:
            with present_or_skipped():
                services["TEST_DATABASE_URL"] = url_of(run_folder, "postgresql")
                services["TEST_REDIS_URL"] = held.enter_context(namespace(run_folder, "redis"))
        code, output = outcome_of(mutant, fault.found_by, dict(fault.answers), services)

    assert code == 1, output
    assert re.search(fault.says, output), output
    if fault.found_by == RUNS:
        kept = re.search(r"Again by hand:\n.*?cd (\S+) &&", output)
        assert kept, output
        assert (Path(kept[1]) / "pyproject.toml").exists()


def outcome_of(template: Path, file: str, answers: Answers, services: dict[str, str]) -> tuple[int, str]:
    only = as_only({axis: DEFAULTS[axis] for axis in ("broker", "database", "email_provider")} | answers)
    words = [sys.executable, "-m", "pytest", "-n0", file, "--only", only]
    kept = template.parent / "kept"
    kept.mkdir()
    # -x for the rendered project's pytest too: the first failure is enough.
    environment = {"PYTEST_ADDOPTS": "-x", "TMPDIR": str(kept), "PATH": f"{UV.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(words, cwd=template, env=os.environ | environment | services, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr
