"""The ways in which sending fails, whoever carries the message."""


class TemporaryFailure(Exception):
    """Worth trying again; not before `retry_after` seconds, if the provider said so."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class QuotaExhausted(TemporaryFailure):
    """The account may send no more this hour, day or month. Waiting for that uses up none of the job's attempts."""

    spends_attempt = False

    def __init__(self, reason: str, retry_after: float = 4 * 3600) -> None:
        super().__init__(reason, retry_after)


class PermanentFailure(Exception):
    """The provider refuses this message: trying again changes nothing."""


class ProviderMisconfigured(PermanentFailure):
    """The provider refuses us: a key, a sender or an account has to be put right."""
