"""Mail by Amazon SES v2 (API `SendEmail`), through boto3, which is imported when a mail goes out.

AWS's own variables say where and as whom (`AWS_ENDPOINT_URL_SESV2` for a local one). One retry; the
worst case of both tries, 9 s, stays inside a route's 10 s. A failure that is the service's opens
the breaker; a refusal of one mail does not.
"""

from dataclasses import dataclass

from presage import config, metrics
from presage.adapters import breaker
from presage.errors import UnavailableError, UpstreamError

CONNECT_TIMEOUT_S = 1.0
READ_TIMEOUT_S = 3.0
ATTEMPTS = 2
_TOO_MANY = 429
_SERVER_ERROR = 500


@dataclass(frozen=True, kw_only=True)
class Email:
    """One plain text mail to one address."""

    to: str
    subject: str
    text: str


def sender() -> str:
    """The address that mails come from.

    Raises:
        UnavailableError: the deployment sends no mail.
    """
    address = config.get("EMAIL_SENDER")
    if not address:
        raise UnavailableError("The setting EMAIL_SENDER is missing.")
    return address


def send(email: Email) -> None:
    """Send one mail.

    Raises:
        UnavailableError: the deployment sends no mail.
        UpstreamError: SES refused it or did not answer. After a timeout it may have gone out.
    """
    address = sender()
    refusal = breaker.guarded("ses", lambda: _send(address, email))
    if refusal:
        metrics.count("EmailRefused", reason=refusal)
        raise UpstreamError("The mail was refused.")


def _send(address: str, email: Email) -> str | None:
    """The code under which SES refused the mail, or None when it took it."""
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    bounded = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    try:
        _send_with(bounded, address, email)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == _TOO_MANY or status >= _SERVER_ERROR:
            raise UpstreamError("The mail service is overloaded.") from error
        return error.response["Error"]["Code"]
    except BotoCoreError as error:
        raise UpstreamError("The mail service did not answer.") from error
    return None


def _send_with(bounded: object, address: str, email: Email) -> None:
    from contextlib import closing
    from typing import Any

    import boto3

    session: Any = boto3.Session()  # boto3's default session is not safe between threads
    with closing(session.client("sesv2", config=bounded)) as client:
        client.send_email(
            FromEmailAddress=address,
            Destination={"ToAddresses": [email.to]},
            Content={
                "Simple": {
                    "Subject": {"Data": email.subject, "Charset": "UTF-8"},
                    "Body": {"Text": {"Data": email.text, "Charset": "UTF-8"}},
                }
            },
        )
