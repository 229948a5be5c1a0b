"""No secret is in what is rendered: whoever scaffolds a service publishes it."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from conftest import Generate
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import default_settings

from combinations import AXES

# Words that stand where a secret would: of URLs in examples, of the databases of CI, of the audit log's events.
# And what MailerSend signs its test of a new address with, which it publishes.
NOBODYS = {
    "password",
    "test",
    "password-reset",
    "password-changed",
    "password-refused",
    "write it before the host, as in ://user:password@host",
    "test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G",
}
OF_A_PROVIDER = [
    ".env.example",
    "docs/guide.md",
    "src/app/settings.py",
    "src/app/mail/provider.py",
    "src/app/mail/webhook.py",
]


def found_in(project: Path, names: Iterable[str]) -> list[str]:
    # Under a name whose values are looked at without quotation marks too.
    (project / "env.ini").write_bytes((project / ".env.example").read_bytes())
    secrets = SecretsCollection(root=str(project))
    with default_settings():
        for name in (*names, "env.ini"):
            secrets.scan_file(name)
    found = [(name, secret) for name, secret in secrets if secret.secret_value not in NOBODYS]
    return [f"{name}:{secret.line_number} {secret.type}" for name, secret in found]


def test_a_rendered_service_has_no_secret(generate: Generate) -> None:
    project = generate()
    names = [file.relative_to(project) for file in sorted(project.rglob("*")) if file.is_file()]

    # The tests' keys are invented, and have to look like keys.
    assert found_in(project, [str(name) for name in names if not {"tests", "testing"} & {*name.parts}]) == []


@pytest.mark.parametrize("provider", AXES["email_provider"])
def test_nor_has_what_a_provider_brings(generate: Generate, provider: str) -> None:
    assert found_in(generate(email_provider=provider), OF_A_PROVIDER) == []


def test_a_secret_would_be_found(generate: Generate) -> None:
    project = generate()
    # In two pieces, so that this file has none either.
    (project / "leak.py").write_text("KEY = '" + "AKIA" + "IOSFODNN7EXAMPL1'\n")

    assert "leak.py:1 AWS Access Key" in found_in(project, ["leak.py"])
