"""What the profile and the linked accounts of a user take and answer."""

import re
import unicodedata
import uuid
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, WithJsonSchema

from presage.call import Language
from presage.identity.email_links import TOKEN_CHARS
from presage.schema import RequestModel, ResponseModel

MAX_NAME_CHARS = 100
MAX_EMAIL_CHARS = 254
MAX_LOCAL_CHARS = 64
# RFC 5321's dot-string; quoted names and address literals are legal and nobody's.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(
    r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+([A-Za-z]{2,63}|[Xx][Nn]--[A-Za-z0-9-]{1,59})"
)
# Bengali and emoji are spelled with joiners; every other invisible character only deceives.
_JOINERS = "\u200c\u200d"
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SECRET = re.compile(r"[!-~]{1,200}")


def display_name(text: str) -> str:
    """A name in NFC without the space around it.

    Raises:
        ValueError: empty, over 100 characters, or with characters that cannot be seen.
    """
    name = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(name) <= MAX_NAME_CHARS:
        raise ValueError("must have 1 to 100 characters")
    seen = [char for char in name if char not in _JOINERS]
    if not seen or any(unicodedata.category(char) in _INVISIBLE for char in seen):
        raise ValueError("has characters that cannot be seen")
    return name


def email_address(text: str) -> str:
    """An address with its domain in lower case.

    Raises:
        ValueError: not an address that mail can be sent to.
    """
    address = text.strip()
    local, _, domain = address.rpartition("@")
    if (
        len(address) > MAX_EMAIL_CHARS
        or len(local) > MAX_LOCAL_CHARS
        or not _LOCAL.fullmatch(local)
        or not _DOMAIN.fullmatch(domain)
    ):
        raise ValueError("must be an email address")
    return f"{local}@{domain.lower()}"


def _secret(given: SecretStr) -> SecretStr:
    if not _SECRET.fullmatch(given.get_secret_value()):
        raise ValueError("must be 1 to 200 visible ASCII characters")
    return given


DisplayName = Annotated[
    str,
    AfterValidator(display_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARS}),
]
EmailAddress = Annotated[
    str,
    AfterValidator(email_address),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": MAX_EMAIL_CHARS}),
]
# Travels in HTTP headers later, so nothing else may stand in it.
ApiSecret = Annotated[
    SecretStr,
    AfterValidator(_secret),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 200, "writeOnly": True}),
]


class UpdateProfile(RequestModel):
    """What is left out stays; a null name or email is taken away, a null language stays."""

    display_name: DisplayName | None = None
    language: Language | None = None
    email: EmailAddress | None = None


class Profile(ResponseModel):
    """How the caller is shown and reached; `emailPending` waits for its link to be opened."""

    id: uuid.UUID
    address: str
    display_name: str | None
    language: Language
    email: str | None
    email_pending: str | None


class ConfirmEmail(RequestModel):
    """The token of a confirmation link."""

    token: Annotated[str, Field(max_length=TOKEN_CHARS)]


class EmailConfirmed(ResponseModel):
    """The address is the account's now."""

    confirmed: bool = True


class LinkPolymarket(RequestModel):
    """The caller's Polymarket API credentials; they are encrypted and never answered."""

    api_key: ApiSecret
    api_secret: ApiSecret
    passphrase: ApiSecret


class PolymarketLink(ResponseModel):
    """Whether the caller's orders may go to Polymarket, and since when with these credentials."""

    polymarket_linked: bool
    updated_at: datetime | None = None
