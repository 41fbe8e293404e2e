"""Every setting, in one table: its name, what it means, its default, and whether it is secret.

Settings come from the environment. A secret that is not in the environment is read from the AWS
Parameters and Secrets extension (a loopback HTTP call, no boto3 on the hot path) under
`presage/<STAGE>/<NAME>`; each trust zone's role may read only its own. The extension answers 400
alike to what is not there, what may not be read, what it failed to fetch and while it starts, so
which secrets a stage does without is said in ABSENT_SECRETS and never concluded from an answer.
"""

import functools
import os
import time
from dataclasses import dataclass

from presage.errors import UnavailableError

SECRETS_TIMEOUT_S = 2.0
SECRETS_ATTEMPTS = 3
SECRETS_BACKOFF_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting. `default` None means it must be given before the code that reads it runs."""

    name: str
    meaning: str
    default: str | None = None
    secret: bool = False


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting(name="STAGE", meaning="dev, test, replay or the deployed stage", default="dev"),
        Setting(
            name="ABSENT_SECRETS",
            meaning="comma-separated names of the secrets that a deployed stage does without: they"
            " are not asked for; what needs any other one that cannot be read answers 503",
            default="",
        ),
        Setting(
            name="DATABASE_URL_API", meaning="Postgres as presage_api, for user routes", secret=True
        ),
        Setting(
            name="DATABASE_URL_ADMIN",
            meaning="Postgres as presage_admin, admin routes",
            secret=True,
        ),
        Setting(
            name="DATABASE_URL_WORKER", meaning="Postgres as presage_worker, workflows", secret=True
        ),
        Setting(name="UPSTASH_REDIS_REST_URL", meaning="Upstash Redis REST address"),
        Setting(name="UPSTASH_REDIS_REST_TOKEN", meaning="Upstash Redis token", secret=True),
        Setting(name="REDIS_TIMEOUT_MS", meaning="budget of one Redis flush", default="1000"),
        Setting(
            name="STATEMENT_TIMEOUT_MS",
            meaning="Postgres statement timeout of user and admin routes, inside their 10 s",
            default="6000",
        ),
        Setting(
            name="WORKER_STATEMENT_TIMEOUT_MS",
            meaning="Postgres statement timeout of workflows, inside their 28 s",
            default="15000",
        ),
        Setting(name="QSTASH_URL", meaning="QStash address", default="https://qstash.upstash.io"),
        Setting(name="QSTASH_TOKEN", meaning="QStash publishing token", secret=True),
        Setting(name="QSTASH_CURRENT_SIGNING_KEY", meaning="verifies deliveries", secret=True),
        Setting(name="QSTASH_NEXT_SIGNING_KEY", meaning="verifies during rotation", secret=True),
        Setting(
            name="CRON_SECRET",
            meaning="lets an operator start a workflow by hand; off when empty",
            default="",
            secret=True,
        ),
        Setting(name="PUBLIC_BASE_URL", meaning="the API as the world calls it, ending in /api/v1"),
        Setting(
            name="SIWE_DOMAIN",
            meaning="the domain that sign-in messages must name",
            default="localhost",
        ),
        Setting(name="EVM_CHAIN_ID", meaning="chain id in sign-in messages", default="137"),
        Setting(name="BOOTSTRAP_ADMIN", meaning="wallet that becomes the super_admin", default=""),
        Setting(
            name="EMAIL_SENDER",
            meaning="address that mails come from (a verified SES identity); no mail when empty",
            default="",
        ),
        Setting(name="EMAIL_LINK_KEY", meaning="signs the links in mails", secret=True),
        Setting(
            name="CREDENTIAL_KEYS",
            meaning="AES-256 keys of people's venue credentials, `id:base64[,id:base64]`: "
            "the first encrypts, all decrypt",
            secret=True,
        ),
        Setting(
            name="EVM_RPC_URL",
            meaning="JSON-RPC of EVM_CHAIN_ID, for sign-in by contract wallets; off when empty",
            default="",
            secret=True,
        ),
        Setting(name="ZMART_PROGRAM_ID", meaning="address of the Solana programme", default=""),
        Setting(
            name="SOLANA_RPC_URL",
            meaning="JSON-RPC of the cluster that the programme runs on; no chain when empty",
            default="",
            secret=True,
        ),
        Setting(
            name="SOLANA_AUTHORITY_KEY",
            meaning="the key that signs for the platform on chain (base58 or a JSON array): the"
            " programme's backend authority; nothing is sent when empty",
            default="",
            secret=True,
        ),
        Setting(
            name="SOLANA_CLUSTER",
            meaning="chain id in sign-in messages: mainnet, testnet, devnet or localnet",
            default="devnet",
        ),
        Setting(
            name="HELIUS_WEBHOOK_SECRET",
            meaning="what the webhook shows in Authorization, two comma-separated while it changes;"
            " no delivery is taken when empty",
            default="",
            secret=True,
        ),
        Setting(
            name="HELIUS_HMAC_SECRET",
            meaning="key of the HMAC-SHA256 of the body in x-helius-signature, for a relay that"
            " signs; not asked for when empty",
            default="",
            secret=True,
        ),
        Setting(name="HELIUS_API_URL", meaning="Helius' own API", default="https://api.helius.xyz"),
        Setting(name="HELIUS_API_KEY", meaning="key of Helius' own API", default="", secret=True),
        Setting(
            name="HELIUS_WEBHOOK_ID",
            meaning="the webhook to enable again when Helius has disabled it; none when empty",
            default="",
        ),
        Setting(name="COLLATERAL_CURRENCY", meaning="the currency of account", default="BDT"),
        Setting(
            name="BINANCE_URL", meaning="spot prices and history", default="https://api.binance.com"
        ),
        Setting(
            name="COINBASE_URL",
            meaning="second source of spot prices",
            default="https://api.exchange.coinbase.com",
        ),
        Setting(
            name="BINANCE_P2P_URL",
            meaning="what USDT costs between people",
            default="https://p2p.binance.com",
        ),
        Setting(
            name="COINGECKO_URL",
            meaning="second source of what USDT costs",
            default="https://api.coingecko.com",
        ),
        Setting(
            name="NEWS_FEEDS",
            meaning="comma-separated addresses of RSS or Atom feeds; no news when empty",
            default="",
        ),
        Setting(
            name="IPFS_API_URL",
            meaning="Kubo RPC of the node that pins snapshots of discussions; off when empty",
            default="",
            secret=True,
        ),
        Setting(
            name="IPFS_GATEWAYS",
            meaning="comma-separated addresses of IPFS gateways, asked in order; off when empty",
            default="",
        ),
        Setting(
            name="PRICE_SYMBOLS", meaning="symbols whose spot is stored", default="BTC/USD,ETH/USD"
        ),
        Setting(
            name="ALLOWED_ORIGINS",
            meaning="comma-separated web origins that may call with a cookie",
            default="",
        ),
        Setting(
            name="ORIGIN_SECRET",
            meaning="what the front (CloudFront) sends in x-origin-secret, two comma-separated"
            " while it changes; when set, nobody else is let in and its word on the caller's"
            " address is taken",
            default="",
            secret=True,
        ),
        Setting(
            name="SLACK_WEBHOOK_URL",
            meaning="Slack incoming webhook that alerts go to; no Slack when empty",
            default="",
            secret=True,
        ),
        Setting(
            name="PAGERDUTY_ROUTING_KEY",
            meaning="integration key of PagerDuty's Events API v2, for CRITICAL alerts; off when"
            " empty",
            default="",
            secret=True,
        ),
        Setting(
            name="PAGERDUTY_URL",
            meaning="PagerDuty's Events API",
            default="https://events.pagerduty.com",
        ),
        Setting(
            name="OPS_EMAIL",
            meaning="address that CRITICAL alerts are mailed to; no mail when empty",
            default="",
        ),
        Setting(
            name="SENTRY_DSN",
            meaning="where unhandled errors go, if anywhere",
            default="",
            secret=True,
        ),
        Setting(
            name="PRESAGE_CLOCK_FILE",
            meaning="file with the simulated time in ms (dev, test and replay only)",
            default="",
        ),
    )
}


def get(name: str) -> str:
    """The value of a setting in `SETTINGS`.

    Raises:
        UnavailableError: it has no default and is not configured.
    """
    setting = SETTINGS[name]
    value = os.environ.get(name)
    if value is None and setting.secret and "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        value = _from_secrets_extension(name)
    if value is None:
        value = setting.default
    if value is None:
        raise UnavailableError(f"The setting {name} is missing.")
    return value


def integer(name: str) -> int:
    """A setting that is a whole number."""
    return int(get(name))


@functools.cache
def _from_secrets_extension(name: str) -> str | None:
    """The secret by the extension; None when the stage does without it. A failure is not kept.

    Raises:
        UnavailableError: it cannot be read.
    """
    token = os.environ.get("AWS_SESSION_TOKEN")
    if not token or name in {one.strip() for one in get("ABSENT_SECRETS").split(",")}:
        return None
    for attempt in range(1, SECRETS_ATTEMPTS + 1):
        secret = _ask_extension(name, token)
        if secret is not None:
            return secret
        if attempt < SECRETS_ATTEMPTS:
            time.sleep(SECRETS_BACKOFF_S * attempt)
    raise UnavailableError(f"The secret {name} cannot be read, nor is it in ABSENT_SECRETS.")


def _ask_extension(name: str, token: str) -> str | None:
    """Ask the extension on loopback once; None when it refuses.

    Protocol: AWS Parameters and Secrets Lambda Extension, GET /secretsmanager/get on port 2773.

    Raises:
        UnavailableError: it does not answer.
    """
    import http.client
    import json
    from urllib.parse import quote

    port = int(os.environ.get("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", "2773"))
    connection = http.client.HTTPConnection("localhost", port, timeout=SECRETS_TIMEOUT_S)
    try:
        secret_id = quote(f"presage/{get('STAGE')}/{name}", safe="")
        connection.request(
            "GET",
            f"/secretsmanager/get?secretId={secret_id}",
            headers={"X-Aws-Parameters-Secrets-Token": token},
        )
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError("The secrets extension does not answer.") from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        return None
    return str(json.loads(body)["SecretString"])
