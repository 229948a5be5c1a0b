"""What `app doctor` says about the broker."""

from ssl import SSLCertVerificationError, VerifyMode

from groundwork.configuration import configuration
from groundwork.settings import Settings
from groundwork.tools.broker_check import what_it_refuses
from groundwork.urls import place_of

__all__ = ["broker_line"]


def broker_line(settings: Settings) -> tuple[bool, str, str]:
    """Whether workers and relays can use it, a sentence, and the remedy."""
    if settings.in_memory_broker:
        return True, "none: the relay feeds the worker in its own process", ""
    place = ";".join(map(place_of, settings.broker_url.split(";")))
    celery = configuration().celery
    try:
        with celery.connection_for_write(connect_timeout=3) as connection:
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
