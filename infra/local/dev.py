"""`make dev`: the platform on this machine, until Ctrl-C.

Run: `python -m infra.local.dev [--reset] [--no-seed] [--dispatch inprocess|runtime]`.
Data stays in .dev (as root under /var/tmp) from one run to the next.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.local import homes
from infra.local.process import StartError
from infra.local.stack import WEBHOOK_PATH, Stack, remove_state
from infra.local.supervisor import ChildDiedError, interrupted_by_signals
from infra.schedules import sync_stage


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until interrupted; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    reset = os.environ.get("RESET", "0") not in {"", "0"}
    parser.add_argument("--reset", action="store_true", default=reset, help="start from nothing")
    no_seed = os.environ.get("SEED", "1") == "0"
    parser.add_argument("--no-seed", action="store_true", default=no_seed, help="no demo data")
    dispatch = os.environ.get("PRESAGE_DISPATCH", "inprocess")
    parser.add_argument("--dispatch", choices=("inprocess", "runtime"), default=dispatch)
    parser.add_argument("--state-dir", type=Path, default=homes.home() / "state")
    parser.add_argument("--template", type=Path, default=homes.PROJECT_ROOT / "template.yaml")
    options = parser.parse_args(arguments)
    try:
        with interrupted_by_signals():
            if options.reset:
                remove_state(options.state_dir)
                _say("old data removed")
            stack = Stack(
                options.state_dir,
                dispatch=options.dispatch,
                template=options.template,
                env=_passed_on(),
                mail=True,
                chain="SOLANA_RPC_URL" not in os.environ,
                ipfs="IPFS_API_URL" not in os.environ,
                progress=_say,
            )
            with stack:
                sync_stage(stack.env)
                curls = [] if options.no_seed else _seed(stack)
                _say(_table(stack))
                for curl in curls:
                    _say(curl)
                _say("\nCtrl-C stops everything.")
                stack.supervisor.watch()
    except KeyboardInterrupt:
        _say("\nstopped")
    except (StartError, ChildDiedError) as error:
        _say(f"\n{error}")
        return 1
    return 0


def _passed_on() -> dict[str, str]:
    """Settings that a developer may give in the shell instead of the stack's defaults."""
    names = (
        *("ALLOWED_ORIGINS", "BOOTSTRAP_ADMIN", "COLLATERAL_CURRENCY", "SIWE_DOMAIN"),
        *("BINANCE_URL", "COINBASE_URL", "CRON_SECRET", "EMAIL_SENDER", "EVM_RPC_URL"),
        *("OPS_EMAIL", "PAGERDUTY_ROUTING_KEY", "PAGERDUTY_URL", "SLACK_WEBHOOK_URL"),
        *("BINANCE_P2P_URL", "COINGECKO_URL", "NEWS_FEEDS", "IPFS_API_URL", "IPFS_GATEWAYS"),
        *("SOLANA_RPC_URL", "SOLANA_CLUSTER", "SOLANA_AUTHORITY_KEY", "ZMART_PROGRAM_ID"),
        *("HELIUS_API_KEY", "HELIUS_API_URL", "HELIUS_WEBHOOK_SECRET"),
    )
    return {name: os.environ[name] for name in names if name in os.environ}


def _seed(stack: Stack) -> list[str]:
    # By name: only this command seeds, and a start without data does not need it.
    lines: list[str] = importlib.import_module("infra.local.seed").seed(stack)
    return lines


def _table(stack: Stack) -> str:
    rows = {
        "HTTP API": stack.base_url,
        "QStash": stack.qstash_url,
        "Redis REST": stack.redis_rest_url,
        "Solana RPC": stack.solana_url or stack.env["SOLANA_RPC_URL"],
        "programme": stack.env.get("ZMART_PROGRAM_ID", ""),
        "Helius hook": stack.base_url + WEBHOOK_PATH,
        "Postgres": stack.database_urls["owner"],
        "cron secret": stack.env["CRON_SECRET"],
        "logs": str(stack.log_dir),
        "mail": str(stack.log_dir / "ses.log"),
        "IPFS": stack.ipfs_url or stack.env["IPFS_API_URL"],
    }
    return "\n" + "\n".join(f"  {name:<12} {value}" for name, value in rows.items()) + "\n"


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
