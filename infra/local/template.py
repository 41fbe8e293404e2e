"""The HTTP routes, functions and CORS rules of a SAM template, as deployed by AWS' own transform.

The transform runs offline: code locations, which it wants in S3, are replaced by a placeholder
and put back afterwards.
"""

import copy
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local.intrinsics import Resolver

DEFAULT_TIMEOUT_S = 3  # Lambda's own, as is the memory
DEFAULT_MEMORY_MB = 128
_PLACEHOLDER = "s3://local/code"
_CODE_PROPERTY = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
}
_ANY = "x-amazon-apigateway-any-method"
_INTEGRATION = "x-amazon-apigateway-integration"
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", _ANY})
_INVOKED = re.compile(r"functions/\$\{([A-Za-z0-9]+)(?:\.Arn)?\}/invocations")


class TemplateError(ValueError):
    """The template cannot be served; the text says why."""


@dataclass(frozen=True)
class Function:
    """One Lambda. `code` is its folder."""

    logical_id: str
    code: Path
    handler: str
    timeout_s: int
    memory_mb: int
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Route:
    """One route; the method is upper case or `ANY`, the path may be `$default`."""

    method: str
    path: str
    function: Function

    @property
    def key(self) -> str:
        """The `routeKey` of its events."""
        return "$default" if self.path == "$default" else f"{self.method} {self.path}"


@dataclass(frozen=True)
class Cors:
    """An HttpApi's CORS configuration."""

    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    max_age_s: int | None = None
    credentials: bool = False


@dataclass(frozen=True)
class HttpApi:
    """What a gateway serves. `resource_count` is of the whole deployed stack."""

    logical_id: str
    routes: tuple[Route, ...]
    cors: Cors | None = None
    functions: Mapping[str, Function] = field(default_factory=dict)
    resource_count: int = 0


def load(
    path: Path, *, api: str | None = None, environment: Mapping[str, str] | None = None
) -> HttpApi:
    """Read the HTTP API of a template; `api` is its logical id, needed when there are several.

    A parameter such as `AllowedOrigins` takes its value from `ALLOWED_ORIGINS` in `environment`
    when that is set, otherwise its default. Raises TemplateError.
    """
    # Imported here: it costs over a second, and only a gateway's start needs it.
    from samtranslator.yaml_helper import yaml_parse  # noqa: PLC0415

    source = yaml_parse(path.read_text(encoding="utf-8"))
    given = environment or {}
    overrides = {
        name: given[variable]
        for name in source.get("Parameters", {})
        if (variable := _variable(name)) in given
    }
    resolver = Resolver(source, overrides)
    deployed = _transform(source, overrides)["Resources"]
    functions = {
        name: _function(path.parent, name, source["Resources"], one["Properties"], resolver)
        for name, one in deployed.items()
        if one["Type"] == "AWS::Lambda::Function" and name in source["Resources"]
    }
    logical_id, body = _api_body(deployed, api)
    declared = source["Resources"].get(logical_id, {}).get("Properties", {})
    return HttpApi(
        logical_id=logical_id,
        routes=tuple(_routes(body, functions)),
        cors=_cors(resolver.resolve(declared.get("CorsConfiguration"))),
        functions=functions,
        resource_count=len(deployed),
    )


def _variable(parameter: str) -> str:
    """`AllowedOrigins` -> `ALLOWED_ORIGINS`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", parameter).upper()


def _transform(source: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[str, Any]:
    # Without a region the transform looks for one in the network.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    from samtranslator.model.exceptions import ExceptionWithMessage  # noqa: PLC0415
    from samtranslator.translator.transform import transform  # noqa: PLC0415

    template = copy.deepcopy(dict(source))
    for resource in template.get("Resources", {}).values():
        code = _CODE_PROPERTY.get(resource["Type"])
        if code is not None:
            resource.setdefault("Properties", {})[code] = _PLACEHOLDER
    try:
        result: dict[str, Any] = transform(template, dict(overrides), _NoPolicies())
    except ExceptionWithMessage as error:
        causes = "; ".join(str(one) for one in getattr(error, "causes", []))
        raise TemplateError(f"{error.message} {causes}") from error
    return result


class _NoPolicies:
    """Managed policies are looked up in the account; locally no role is ever assumed."""

    def load(self) -> dict[str, str]:
        """No policy by name."""
        return {}


def _function(
    root: Path,
    name: str,
    source: Mapping[str, Any],
    deployed: Mapping[str, Any],
    resolver: Resolver,
) -> Function:
    variables = resolver.resolve(deployed.get("Environment", {}).get("Variables", {}))
    code = resolver.resolve(source[name]["Properties"].get("CodeUri"))
    if not isinstance(code, str):
        raise TemplateError(f"{name}: CodeUri is not a local folder")
    return Function(
        logical_id=name,
        code=(root / code).resolve(),
        handler=resolver.resolve(deployed["Handler"]),
        timeout_s=int(resolver.resolve(deployed.get("Timeout", DEFAULT_TIMEOUT_S))),
        memory_mb=int(resolver.resolve(deployed.get("MemorySize", DEFAULT_MEMORY_MB))),
        environment={
            key: text
            for key, value in variables.items()
            # A secret that only AWS can look up is better missing than a wrong text.
            if "{{resolve:" not in (text := _text(value))
        },
    )


def _text(value: Any) -> str:  # noqa: ANN401 - any scalar of a template
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _api_body(deployed: Mapping[str, Any], wanted: str | None) -> tuple[str, dict[str, Any]]:
    bodies = {
        name: one["Properties"]["Body"]
        for name, one in deployed.items()
        if one["Type"] == "AWS::ApiGatewayV2::Api" and "Body" in one["Properties"]
    }
    if wanted is not None and wanted not in bodies:
        raise TemplateError(f"no HttpApi named {wanted} with routes")
    if wanted is None and len(bodies) != 1:
        raise TemplateError(f"expected one HttpApi, found {sorted(bodies)}: name one")
    name = wanted or next(iter(bodies))
    return name, bodies[name]


def _routes(body: Mapping[str, Any], functions: Mapping[str, Function]) -> list[Route]:
    routes: list[Route] = []
    for path, methods in body.get("paths", {}).items():
        for method, operation in methods.items():
            if method not in _METHODS or _INTEGRATION not in operation:
                continue
            integration = operation[_INTEGRATION]
            if integration.get("payloadFormatVersion") != "2.0":
                raise TemplateError(f"{path}: only payload format 2.0 is served")
            uri = integration["uri"]
            invoked = _INVOKED.search(uri["Fn::Sub"] if isinstance(uri, dict) else uri)
            if invoked is None or invoked[1] not in functions:
                raise TemplateError(f"{path}: no function of this template behind {uri}")
            name = "ANY" if method == _ANY else method.upper()
            routes.append(Route(name, path, functions[invoked[1]]))
    return routes


def _cors(declared: Any) -> Cors | None:  # noqa: ANN401 - true, or a mapping
    if declared is None or declared is False:
        return None
    if declared is True:
        return Cors(origins=("*",))
    return Cors(
        origins=_names(declared.get("AllowOrigins")),
        methods=_names(declared.get("AllowMethods")),
        headers=_names(declared.get("AllowHeaders")),
        expose=_names(declared.get("ExposeHeaders")),
        max_age_s=int(declared["MaxAge"]) if "MaxAge" in declared else None,
        credentials=_text(declared.get("AllowCredentials", False)) == "true",
    )


def _names(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - a list, or one comma-separated text
    parts = value.split(",") if isinstance(value, str) else value or []
    return tuple(str(one).strip() for one in parts)
