"""Providers' own Python packages know each name and each kind of value that our schemas let a message have.

Of those packages that have types for it; the provider's suite in the service holds what is sent against the schema.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import pytest
from brevo.transactional_emails.raw_client import RawTransactionalEmailsClient
from mailersend.models.email import EmailRequest
from mailtrap import Mail
from pydantic import BaseModel, TypeAdapter, create_model
from pydantic.alias_generators import to_camel
from resend import Emails
from scaleway.tem.v1alpha1.types import CreateEmailRequest

from test_providers import FOLDERS

Schema = dict[str, Any]
NO_ARGUMENTS = {"request_options", "return"}


def arguments(function: Callable[..., Any]) -> type[BaseModel]:
    """What becomes the body, under the names that it has there."""
    kinds = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {to_camel(name): (kind, None) for name, kind in kinds.items() if name not in NO_ARGUMENTS}
    return create_model("Arguments", **fields)


OFFICIAL: dict[str, Any] = {
    "brevo": arguments(RawTransactionalEmailsClient.send_transac_email),
    "mailersend": EmailRequest,
    "mailtrap": Mail,
    "resend": Emails.SendParams,
    "scaleway": CreateEmailRequest,
}
# Documented by the provider, and not yet in its package.
NEWER = {"mailersend": {"list_unsubscribe"}}


@pytest.mark.parametrize("provider", OFFICIAL)
def test_our_schema_allows_nothing_that_the_providers_package_does_not_know(provider: str) -> None:
    ours = json.loads((FOLDERS / provider / "schema.json").read_text())

    assert set(unknown(ours, official(provider))) == NEWER.get(provider, set())


def test_another_name_and_another_kind_of_value_are_found() -> None:
    address = {"type": "object", "properties": {"email": {"type": "array"}, "nick": {"type": "string"}}}
    ours = {"type": "object", "properties": {"to": {"type": "array", "items": address}, "Subject": {"type": "string"}}}

    assert set(unknown(ours, official("mailtrap"))) == {"to[].email is no array", "to[].nick", "Subject"}


def official(provider: str) -> Schema:
    return TypeAdapter(OFFICIAL[provider]).json_schema(mode="serialization")


def unknown(ours: Schema, theirs: Schema) -> Iterator[str]:
    """Names that theirs lacks, and where it has another kind of value."""

    def differences(node: Schema, known: list[Schema], where: str) -> Iterator[str]:
        [node] = alternatives(node, ours)
        kind = node.get("type", "string")
        # Without a type it may be anything.
        fitting = [one for one in known if one.get("type", kind) == kind]
        if not fitting:
            yield f"{where} is no {kind}"
        elif kind == "array":
            items = [one for array in fitting for one in alternatives(array.get("items", {}), theirs)]
            yield from differences(node["items"], items, f"{where}[]")
        elif all("properties" in one for one in fitting):
            for name, value in node.get("properties", {}).items():
                path = f"{where}.{name}".lstrip(".")
                # In Python no parameter can be called from or type.
                named = [
                    one["properties"][key] for one in fitting for key in (name, f"{name}_") if key in one["properties"]
                ]
                values = [one for part in named for one in alternatives(part, theirs)]
                yield from differences(value, values, path) if values else [path]

    yield from differences(ours, alternatives(theirs, theirs), "")


def alternatives(schema: Schema, root: Schema) -> list[Schema]:
    """What a reference and a choice stand for."""
    if "$ref" in schema:
        return alternatives(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    choices = schema.get("anyOf", schema.get("oneOf"))
    return [one for choice in choices for one in alternatives(choice, root)] if choices else [schema]
