"""API Gateway's choice of a route: the most specific path that has the method.

Source: "Working with routes for HTTP APIs" in the API Gateway developer guide: full matches,
then path variables, then greedy ones, then `$default`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

from infra.local.template import Route

type Match = tuple[Route, dict[str, str]]


@dataclass
class _Node:
    """What may follow one path segment."""

    fixed: dict[str, "_Node"] = field(default_factory=dict)
    variable: dict[str, "_Node"] = field(default_factory=dict)  # by the variable's name
    greedy: dict[str, dict[str, Route]] = field(default_factory=dict)
    routes: dict[str, Route] = field(default_factory=dict)  # by method


class Router:
    """Finds the route of a request."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        self._default: Route | None = None
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        if route.path == "$default":
            self._default = route
            return
        node = self._root
        for segment in route.path.split("/")[1:]:
            if segment.startswith("{") and segment.endswith("+}"):
                node.greedy.setdefault(segment[1:-2], {})[route.method] = route
                return
            if segment.startswith("{"):
                node = node.variable.setdefault(segment[1:-1], _Node())
            else:
                node = node.fixed.setdefault(segment, _Node())
        node.routes[route.method] = route

    def find(self, method: str, path: str) -> Match | None:
        """The route and its decoded path parameters; None when nothing matches.

        `path` is still percent-encoded, so that an encoded slash stays inside its segment.
        """
        found = _search(self._root, method, path.split("/")[1:], {})
        if found is None and self._default is not None:
            return self._default, {}
        return found


def _search(
    node: _Node, method: str, segments: list[str], parameters: dict[str, str]
) -> Match | None:
    if not segments:
        route = _of_method(node.routes, method)
        return (route, parameters) if route else None
    head, rest = unquote(segments[0]), segments[1:]
    if head in node.fixed:
        found = _search(node.fixed[head], method, rest, parameters)
        if found is not None:
            return found
    if head:
        for name, child in node.variable.items():
            found = _search(child, method, rest, {**parameters, name: head})
            if found is not None:
                return found
    for name, routes in node.greedy.items():
        route = _of_method(routes, method)
        if route is not None:
            return route, {**parameters, name: "/".join(map(unquote, segments))}
    return None


def _of_method(routes: dict[str, Route], method: str) -> Route | None:
    return routes.get(method) or routes.get("ANY")
