"""The ways in which sending fails, whoever carries the message."""


class TemporaryFailure(Exception):
    """Sending failed, and a retry may help, after `retry_after` seconds where the provider named a time."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class QuotaExhausted(TemporaryFailure):
    """The account has used up its quota of this hour, day or month. The attempt of the job is not counted."""

    spends_attempt = False

    def __init__(self, reason: str, retry_after: float = 4 * 3600) -> None:
        super().__init__(reason, retry_after)


class PermanentFailure(Exception):
    """The provider refuses this message; a retry does not help."""


class ProviderMisconfigured(PermanentFailure):
    """The provider refuses the account: its key, its sender or its settings have to be corrected."""
