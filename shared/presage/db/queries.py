"""Named SQL: each domain keeps its statements in a `queries.sql` beside its service.

A statement starts with `-- name: <snake_name>`, followed by comment lines that say what it is for;
parameters are `%(name)s`. A contract test PREPAREs every one of them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"^-- name: (?P<name>[a-z][a-z0-9_]*)$", re.MULTILINE)


@dataclass(frozen=True)
class Query:
    """One named statement."""

    name: str
    description: str
    sql: str


class Queries:
    """The statements of one `queries.sql`, by name: `queries["place_order"]`."""

    def __init__(self, path: Path) -> None:
        text = path.read_text()
        marks = list(_NAME.finditer(text))
        self._queries: dict[str, Query] = {}
        for mark, following in zip(marks, [*marks[1:], None], strict=True):
            body = text[mark.end() : following.start() if following else None].strip()
            lines = body.splitlines()
            comments = [line[2:].strip() for line in lines if line.startswith("--")]
            sql = "\n".join(line for line in lines if not line.startswith("--")).strip()
            name = mark["name"]
            if name in self._queries or not comments or not sql:
                raise ValueError(f"{path}: {name} is doubled, undescribed or empty")
            self._queries[name] = Query(name, " ".join(comments), sql)

    def __getitem__(self, name: str) -> Query:
        return self._queries[name]

    def __iter__(self) -> Iterator[Query]:
        return iter(self._queries.values())


def beside(module_file: str) -> Queries:
    """The `queries.sql` in the folder of `module_file` (pass `__file__`)."""
    return Queries(Path(module_file).with_name("queries.sql"))
