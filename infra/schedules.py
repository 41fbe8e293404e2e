"""Make QStash's schedules those of infra/schedules.toml: `python -m infra.schedules [--dry-run]`.

Reads STAGE, QSTASH_URL, QSTASH_TOKEN and PUBLIC_BASE_URL. Protocol source: the vendor's SDK and
https://upstash.com/docs/qstash/api/schedules/create.
"""

import argparse
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from qstash import QStash
from qstash.errors import QStashError
from qstash.schedule import Schedule

from presage.adapters.qstash import FAILURE_PATH, connected, schedule_id
from presage.routes import ROUTES

SCHEDULES_FILE = Path(__file__).with_name("schedules.toml")
_DEFAULT_URL = "https://qstash.upstash.io"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One row of schedules.toml as QStash keeps it. `cron` is UTC."""

    schedule_id: str
    destination: str
    cron: str
    retries: int
    failure_callback: str

    def matches(self, present: Schedule) -> bool:
        """Whether QStash already has exactly this."""
        return (
            present.destination,
            present.cron,
            present.retries,
            str(present.method),
            present.failure_callback,
        ) == (self.destination, self.cron, self.retries, "POST", self.failure_callback)


def read_wanted(base_url: str, stage: str, path: Path = SCHEDULES_FILE) -> list[Wanted]:
    """The file's schedules for one stage.

    Raises:
        KeyError: a stem that is no row of routes.py, or a row without a field.
    """
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["schedule"]
    return [
        Wanted(
            schedule_id=schedule_id(stage, row["stem"]),
            destination=base_url + ROUTES[row["stem"]].path,
            cron=row["cron"],
            retries=row["retries"],
            failure_callback=base_url + FAILURE_PATH,
        )
        for row in rows
    ]


def sync(
    client: QStash,
    *,
    base_url: str,
    stage: str,
    dry_run: bool = False,
    path: Path = SCHEDULES_FILE,
) -> list[str]:
    """Upsert and remove until QStash has what the file says; the changes, one line each.

    A paused schedule stays paused when nothing else about it changes.

    Raises:
        QStashError: QStash refused.
        httpx.HTTPError: QStash did not answer.
    """
    present = {one.schedule_id: one for one in client.schedule.list()}
    wanted = {one.schedule_id: one for one in read_wanted(base_url, stage, path)}
    changes: list[str] = []
    for name, row in wanted.items():
        known = present.get(name)
        if known is not None and row.matches(known):
            continue
        verb = "create" if known is None else "update"
        changes.append(f"{verb} {name}: {row.cron} -> {row.destination}, {row.retries} retries")
        if not dry_run:
            client.schedule.create(
                destination=row.destination,
                cron=row.cron,
                retries=row.retries,
                method="POST",
                schedule_id=name,
                failure_callback=row.failure_callback,
            )
    for name, known in present.items():
        if name not in wanted and _is_ours(known, stage):
            changes.append(f"remove {name}: {known.cron} -> {known.destination}")
            if not dry_run:
                client.schedule.delete(name)
    return changes


def sync_stage(env: Mapping[str, str], *, dry_run: bool = False) -> list[str]:
    """`sync` for the stage that these variables describe; errors as there."""
    with connected(env.get("QSTASH_URL", _DEFAULT_URL), env["QSTASH_TOKEN"]) as client:
        stage = env.get("STAGE", "dev")
        return sync(client, base_url=env["PUBLIC_BASE_URL"], stage=stage, dry_run=dry_run)


def _prefix(stage: str) -> str:
    return schedule_id(stage, "")


def _is_ours(schedule: Schedule, stage: str) -> bool:
    """Whether this stage made it: `presage-dev-2-cleanup` is another stage's, called `dev-2`.

    The id ends in the stem and the destination in its path, whatever the base URL was then.
    """
    name = schedule.schedule_id
    if not name.startswith(_prefix(stage)):
        return False
    return schedule.destination.endswith(f"/workflows/{name.removeprefix(_prefix(stage))}")


def main() -> int:
    """Sync the stage that the environment describes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dry-run", action="store_true", help="only print the difference")
    options = parser.parse_args()
    missing = [name for name in ("QSTASH_TOKEN", "PUBLIC_BASE_URL") if not os.environ.get(name)]
    if missing:
        sys.stderr.write(f"set {' and '.join(missing)} to say whose schedules to sync\n")
        return 2
    try:
        changes = sync_stage(os.environ, dry_run=options.dry_run)
    except (QStashError, httpx.HTTPError) as error:
        sys.stderr.write(f"QStash: {error}\n")
        return 1
    for change in changes:
        print(change)
    would = "would be " if options.dry_run else ""
    print(f"{len(changes)} schedules {would}changed" if changes else "nothing to do")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
