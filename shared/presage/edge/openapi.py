"""openapi.json from the route table and the handlers' models: nothing in it is written by hand."""

import re
import typing
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic.json_schema import models_json_schema

from presage.edge.http import Api
from presage.edge.webhook import SIGNATURE_HEADER, Webhook
from presage.edge.workflow import Callback, Workflow
from presage.errors import ALL_ERRORS
from presage.routes import Route
from presage.schema import Page, Paged, Pagination

type Handler = Api[Any, Any] | Callback[Any, Any] | Webhook[Any] | Workflow
type Schema = dict[str, Any]

_REF = "#/components/schemas/{model}"
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_COMMON_ERRORS = (400, 403, 429, 500, 503)
_DELIVERY: Schema = {
    "required": True,
    "description": "Raw transactions, at most 1 MB; Content-Encoding may be gzip",
    "content": {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}},
}
_SIGNATURE: Schema = {
    "name": SIGNATURE_HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "HMAC-SHA256 of the body in hex, where HELIUS_HMAC_SECRET is set",
}


def document(handlers: Mapping[str, Handler], version: str) -> Schema:
    """The OpenAPI 3.1 document of these handlers, by stem."""
    inputs = {handler.request_model for handler in handlers.values()}
    answers = {model for handler in handlers.values() if (model := handler.response_model)}
    outputs = answers | {Pagination}
    by_name = {model.__name__: model for model in inputs | outputs}
    pairs: Any = [
        (model, "validation" if model in inputs else "serialization")
        for _, model in sorted(by_name.items())
    ]
    refs, definitions = models_json_schema(pairs, ref_template=_REF)
    named = {model.__name__: ref for (model, _), ref in refs.items()}
    schemas: Schema = definitions.get("$defs", {}) | {"Error": _error_schema()}
    paths: Schema = {}
    for handler in handlers.values():
        operation = _operation(handler, schemas, named)
        paths.setdefault(handler.route.path, {})[handler.route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Presage", "version": version},
        "servers": [{"url": "/api/v1"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": {
                "Error": {
                    "description": "What went wrong, by code",
                    "content": {
                        "application/json": {"schema": {"$ref": _REF.format(model="Error")}}
                    },
                }
            },
            "securitySchemes": {
                "session": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "a session's token, or an API key (psg_...)",
                },
                "cookie": {"type": "apiKey", "in": "cookie", "name": "session-token"},
                "serviceKey": {"type": "apiKey", "in": "header", "name": "x-service-key"},
                "qstash": {"type": "apiKey", "in": "header", "name": "Upstash-Signature"},
                "webhook": {"type": "apiKey", "in": "header", "name": "Authorization"},
            },
        },
    }


def _operation(handler: Handler, schemas: Schema, refs: Mapping[str, Schema]) -> Schema:
    route = handler.route
    model = schemas[_name(refs[handler.request_model.__name__])]
    operation: Schema = {
        "operationId": route.stem,
        "summary": route.summary,
        "tags": [route.domain],
        "responses": _responses(handler, refs),
    }
    parameters, in_path = _parameters(route, model)
    if route.method in _BODY_METHODS:
        body = _without(model, in_path)
        if body["properties"]:
            operation["requestBody"] = {
                "required": bool(body.get("required")),
                "content": {"application/json": {"schema": body}},
            }
        parameters = [one for one in parameters if one["in"] == "path"]
    if isinstance(handler, Webhook):
        operation["requestBody"] = _DELIVERY
        parameters.append(_SIGNATURE)
    if route.idempotency in {"client_order_id", "key"}:
        is_key = route.idempotency == "key"
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": is_key,
                "schema": {"type": "string", "minLength": 1, "maxLength": 128},
                "description": (
                    "a repeat with this key answers the first result"
                    if is_key
                    else "may stand for clientOrderId"
                ),
            }
        )
    if parameters:
        operation["parameters"] = parameters
    operation["security"] = _security(route)
    if route.auth in {"user", "admin"}:
        operation["description"] = (
            "Needs a session: an API key may not call it."
            if route.scope == "session"
            else f"An API key needs the scope {route.scope}."
        )
    return operation


def _security(route: Route) -> list[Schema]:
    service: list[Schema] = [{"serviceKey": []}] if route.scope == "read" else []
    match route.auth:
        case "user" | "admin":
            return [{"session": []}, {"cookie": []}, *service]
        case "qstash":
            return [{"qstash": []}]
        case "webhook":
            return [{"webhook": []}]
        case "public":
            return [{}, {"session": []}, *service]


def _parameters(route: Route, model: Schema) -> tuple[list[Schema], set[str]]:
    """Every property as a parameter, and the names of those that stand in the path."""
    variables = {_camel(name): name for name in re.findall(r"\{(\w+)\}", route.path)}
    parameters = [
        {
            "name": variables.get(name, name),
            "in": "path" if name in variables else "query",
            "required": name in variables or name in model.get("required", ()),
            "schema": schema,
        }
        for name, schema in model.get("properties", {}).items()
    ]
    return parameters, set(variables)


def _without(model: Schema, names: set[str]) -> Schema:
    body = {key: value for key, value in model.items() if key != "required"}
    body["properties"] = {
        name: schema for name, schema in model.get("properties", {}).items() if name not in names
    }
    required = [name for name in model.get("required", ()) if name not in names]
    return body | ({"required": required} if required else {})


def _responses(handler: Handler, refs: Mapping[str, Schema]) -> Schema:
    route = handler.route
    content: Schema = {}
    if route.document:
        kind = route.document.partition(";")[0]
        content[kind] = {}
    if handler.response_model:
        model = refs[handler.response_model.__name__]
        content["application/json"] = {"schema": _envelope(handler, model)}
    responses: Schema = {
        str(route.status): {"description": HTTPStatus(route.status).phrase, "content": content}
    }
    if route.cache_s:
        responses["304"] = {"description": "If-None-Match names what you would get"}
    for status in _error_statuses(route):
        responses[str(status)] = {"$ref": "#/components/responses/Error"}
    return responses


def _envelope(handler: Handler, data: Schema) -> Schema:
    properties: Schema = {"success": {"const": True}, "data": data}
    if isinstance(handler, Api) and _returns(handler, Page):
        properties["data"] = {"type": "array", "items": data}
    if isinstance(handler, Api) and _returns(handler, Page, Paged):
        properties["pagination"] = {"$ref": _REF.format(model="Pagination")}
    properties |= {
        "requestId": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _error_statuses(route: Route) -> list[int]:
    statuses = set(_COMMON_ERRORS)
    if route.auth != "public":
        statuses.add(401)
    if "{" in route.path:
        statuses.add(404)
    if route.idempotency != "safe":
        statuses |= {401, 409}
    if route.zone == "worker" or route.calls_out:
        statuses.add(502)
    if route.scope == "trade":
        statuses |= {402, 404, 422}
    return sorted(statuses)


def _error_schema() -> Schema:
    codes = sorted({error.code for error in ALL_ERRORS})
    return {
        "type": "object",
        "properties": {
            "success": {"const": False},
            "error": {"type": "string"},
            "code": {"type": "string", "enum": codes},
            "details": {
                "type": "object",
                "properties": {
                    "field": {"type": "string"},
                    "limit": {"type": "integer"},
                    "errors": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "field": {"type": "string"},
                                "message": {"type": "string"},
                            },
                            "required": ["field", "message"],
                            "additionalProperties": False,
                        },
                    },
                },
                "additionalProperties": False,
            },
            "retryable": {"type": "boolean"},
            "requestId": {"type": "string"},
            "timestamp": {"type": "string", "format": "date-time"},
        },
        "required": ["success", "error", "code", "retryable", "requestId", "timestamp"],
        "additionalProperties": False,
    }


def _returns(handler: Api[Any, Any], *kinds: type) -> bool:
    returned = typing.get_type_hints(handler.service)["return"]
    return any(typing.get_origin(one) in kinds for one in (returned, *typing.get_args(returned)))


def _name(ref: Schema) -> str:
    return str(ref["$ref"]).rsplit("/", 1)[-1]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
