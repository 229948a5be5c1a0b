"""What `app doctor` says about the broker."""

from ssl import SSLCertVerificationError, VerifyMode

from groundwork.configuration import configuration
from groundwork.settings import Settings
from groundwork.tools.broker_check import what_it_refuses
from groundwork.urls import place_of

__all__ = ["broker_line"]


def broker_line(settings: Settings) -> tuple[bool, str, str]:
    """Whether workers and relays can use it, a sentence, and the remedy. Of several brokers one has to answer."""
    if settings.in_memory_broker:
        return True, "none: the relay feeds the worker in its own process", ""
    named, asked = ([part for part in urls.split(";") if part] for urls in (settings.broker_url, _celery_url()))
    if named[0].startswith("sentinel:"):
        # These are asked together for the broker.
        named, asked = [";".join(map(place_of, named))], [_celery_url()]
    lines = [_line(place_of(name), url) for name, url in zip(named, asked, strict=True)]
    remedy = next((remedy for good, _, remedy in lines if not good), "")
    return any(good for good, _, _ in lines), "; ".join(says for _, says, _ in lines), remedy


def _celery_url() -> str:
    return str(configuration().celery.conf.broker_url)


def _line(place: str, url: str) -> tuple[bool, str, str]:
    celery = configuration().celery
    try:
        with celery.connection_for_write(url, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=5)
            believed = connection.ssl and VerifyMode.CERT_NONE in connection.ssl.values()
            if refused := what_it_refuses(connection, celery):
                return False, f"{place} {refused[0]}", refused[1]
    except Exception as error:
        # Each transport has its own family of errors; all of them mean the same here.
        if reason := _distrusted(error):
            says = f"{place} has a certificate that is not trusted: {reason}"
            return False, says, "add ?ssl_ca_certs=/path/of/its/ca.pem to BROKER_URL, or correct its host"
        # After that Redis Sentinel tells how it was asked.
        reason = str(error).partition(" : <")[0]
        return False, f"{place} does not answer: {reason}", "start it, or correct BROKER_URL"
    return True, f"{place} answers" + ("; its certificate is not verified" if believed else ""), ""


def _distrusted(error: BaseException | None) -> str:
    while error:
        if isinstance(error, SSLCertVerificationError):
            return error.verify_message.rstrip(".")
        error = error.__cause__ or error.__context__
    return ""
