"""The OpenAPI document of the JSON API, made from the routes themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .. import __version__
from .endpoints import Endpoint

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["status", "message"],
            "properties": {"status": {"type": "integer"}, "message": {"type": "string"}},
        }
    },
}


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The document. The schemas of answers are open: keys are added, and never taken away."""
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        if each.path.startswith("/api/"):
            paths.setdefault(path_of(each), {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "batchd",
            "version": __version__,
            "description": "What `batchd status` shows, and the orders of its commands. Money is in units.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": _ERROR},
        },
    }


def path_of(endpoint: Endpoint) -> str:
    """The path as OpenAPI writes it, without patterns."""
    return re.sub(r"\{(\w+):[^}]*\}", r"{\1}", endpoint.path)


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", path_of(endpoint))
    parameters: list[Mapping[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ]
    parameters += [
        {"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}}
        for name, meaning in endpoint.query.items()
    ]
    role = " Needs a token that lets people order." if endpoint.orders else ""
    says = (endpoint.handler.__doc__ or "").splitlines()[0]
    operation: dict[str, Any] = {
        "operationId": endpoint.handler.__name__,
        "summary": says.removesuffix("."),
        "description": f"{says}{role}",
        "parameters": parameters,
        "responses": _responses(endpoint),
    }
    if endpoint.body is not None:
        operation["requestBody"] = endpoint.body
    return operation


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    schema = {"type": "object"} if endpoint.answer == "application/json" else {"type": "string"}
    good = {"description": "As asked", "content": {endpoint.answer: {"schema": schema}}}
    bad = {
        "description": "Why not, in words",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    found = dict.fromkeys(endpoint.statuses, good)
    return {**found, "default": bad}
