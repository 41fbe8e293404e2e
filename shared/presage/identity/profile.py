"""How a user is shown and reached: display name, language, and an email that proves itself."""

import uuid
from dataclasses import dataclass

import orjson

from presage import config
from presage.adapters import email
from presage.call import Actor, Call, Language
from presage.db import connection
from presage.db.queries import beside
from presage.errors import RateLimitedError, UnauthorizedError
from presage.identity import email_links, mails
from presage.identity.profile_models import (
    ConfirmEmail,
    EmailConfirmed,
    Profile,
    UpdateProfile,
)
from presage.schema import Nothing

CONFIRM_PATH = "/settings/email/confirm"
_queries = beside(__file__)


@dataclass(frozen=True, kw_only=True)
class _Profile:
    id: uuid.UUID
    address: str
    display_name: str | None
    language: Language
    email: str | None
    email_pending: str | None
    is_mail_due: bool = False
    retry_after_s: int | None = None


def get_profile(call: Call, request: Nothing) -> Profile:  # noqa: ARG001 - it has no fields
    """The caller's profile."""
    row = connection.fetch_one(call, _queries["get_profile"], _Profile, {})
    if row is None:
        raise UnauthorizedError
    return _view(row)


def update_profile(call: Call, request: UpdateProfile) -> Profile:
    """Change what was given; a new email waits for the link that is mailed to it.

    The mail goes out after the commit: when it cannot, the email stays pending and the same request
    sends another. A try counts as a mail, since after a timeout nobody knows.

    Raises:
        UnavailableError: an email is given and the deployment sends none; nothing is changed.
        RateLimitedError: three mails went out within the hour; nothing is changed.
        UpstreamError: the mail did not go out; everything else is done.
    """
    if request.email is not None:
        email.sender()
        config.get("EMAIL_LINK_KEY")
    changes = request.model_dump(include=request.model_fields_set)
    if changes.get("language", "") is None:
        del changes["language"]
    params = {
        "changes": orjson.dumps(changes).decode(),
        "ip": call.ip,
        "request_id": call.request_id,
        "now": call.now,
    }
    row = connection.fetch_one(call, _queries["update_profile"], _Profile, params)
    if row is None:
        raise UnauthorizedError
    if row.retry_after_s is not None:
        raise RateLimitedError(
            "At most 3 mails an hour to confirm an email.", retry_after_s=row.retry_after_s
        )
    if row.is_mail_due and row.email_pending:
        token = email_links.make_token(row.id, row.email_pending, call.now)
        link = f"{config.get('PUBLIC_BASE_URL')}{CONFIRM_PATH}?token={token}"
        email.send(mails.confirm_email(row.email_pending, row.language, link))
    return _view(row)


def confirm_email(call: Call, request: ConfirmEmail) -> EmailConfirmed:
    """Make the address of a mailed link its user's, if it is still the pending one.

    Raises:
        ValidationFailedError: the link is altered, expired, or for another address than is pending.
        ConflictError: another user has confirmed this address.
    """
    link = email_links.read_token(request.token, call.now)
    # The link speaks for the user it was mailed to, whoever's browser opens it.
    call.actor = Actor(user_id=link.user_id, address="", role="user", session_hash=b"")
    params = {
        "email_hash": link.email_hash,
        "ip": call.ip,
        "request_id": call.request_id,
        "now": call.now,
    }
    connection.run(call, [(_queries["confirm_email"], None, params)])
    return EmailConfirmed()


def _view(row: _Profile) -> Profile:
    return Profile(
        id=row.id,
        address=row.address,
        display_name=row.display_name,
        language=row.language,
        email=row.email,
        email_pending=row.email_pending,
    )
