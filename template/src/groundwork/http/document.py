"""The OpenAPI document, as programs that generate clients want it."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema

from groundwork.http.problem import SCHEMA

__all__ = ["DocumentedAPI", "name_of"]


class Fault(BaseModel):
    """Where in the request something is missing or wrong, and what."""

    where: list[str | int]
    message: str


class ProblemBody(BaseModel):
    """An error, as RFC 9457 describes it. `errors` comes with `urn:problem:invalid-request`."""

    model_config = ConfigDict(title=SCHEMA, extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[Fault] = []


def name_of(route: APIRoute) -> str:
    """The id of an operation: what a generated client calls its function."""
    return route.name


class DocumentedAPI(FastAPI):
    """FastAPI, with what its document leaves out: one schema for all problems, tags, and which operations need no token."""

    def openapi(self) -> dict[str, Any]:
        is_complete = self.openapi_schema is not None
        document = super().openapi()
        if not is_complete:
            _complete(document)
        return document


def _complete(document: dict[str, Any]) -> None:
    _, made = models_json_schema([(ProblemBody, "validation")], ref_template="#/components/schemas/{model}")
    # `Problem` is the name of an exception in Python.
    made["$defs"][SCHEMA] = made["$defs"].pop(ProblemBody.__name__)
    document.setdefault("components", {}).setdefault("schemas", {}).update(made["$defs"])
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    tags = [tag for operation in operations for tag in operation.get("tags", [])]
    document["tags"] = [{"name": tag} for tag in dict.fromkeys(tags)]
    for operation in operations:
        operation.setdefault("security", [])
        for response in operation["responses"].values():
            _describe_streams(response.get("content", {}))


def _describe_streams(content: dict[str, Any]) -> None:
    """`itemSchema` is of OpenAPI 3.2; linters of 3.1, which the document is, refuse it."""
    for kind in content.values():
        if "itemSchema" in kind:
            kind["x-itemSchema"] = kind.pop("itemSchema")
            kind["schema"] = {"type": "string"}
