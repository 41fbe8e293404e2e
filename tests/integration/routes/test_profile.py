"""The profile: names, languages, and an email that is somebody's only once its link was opened."""

import base64
import threading
import uuid
from collections import Counter
from collections.abc import Iterator

import pytest

from presage import clock
from presage.adapters import email
from presage.errors import ValidationFailedError
from presage.identity import email_links
from tests.harness import Answer, Platform, Wallet
from tests.mailbox import SENDER, FaultyMailServer, Mailbox, serve_mailbox

ADDRESS = "rahim@example.com"


@pytest.fixture(scope="module")
def ses() -> Iterator[Mailbox]:
    with serve_mailbox() as served:
        yield served


@pytest.fixture
def mailbox(ses: Mailbox, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    """Mail goes to moto's SES."""
    assert platform
    _mail_through(ses.url, monkeypatch)
    ses.clear()
    return ses


@pytest.fixture
def user(platform: Platform) -> Wallet:
    return platform.sign_in()


def _mail_through(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "EMAIL_SENDER": SENDER,
        "AWS_ENDPOINT_URL_SESV2": url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }.items():
        monkeypatch.setenv(name, value)


def _update(platform: Platform, wallet: Wallet, **fields: object) -> Answer:
    return platform.call("update_profile", token=wallet.token, body=fields)


def _profile(platform: Platform, wallet: Wallet) -> dict[str, object]:
    answered: dict[str, object] = platform.call("get_profile", token=wallet.token).data
    return answered


def _emails(platform: Platform, wallet: Wallet) -> tuple[object, object]:
    shown = _profile(platform, wallet)
    return shown["email"], shown["emailPending"]


def _confirm(platform: Platform, token: str) -> Answer:
    return platform.call("confirm_email", query={"token": token})


def test_a_new_profile_is_bare(platform: Platform, user: Wallet) -> None:
    assert _profile(platform, user) == {
        "id": str(user.user_id),
        "address": user.address,
        "displayName": None,
        "language": "en",
        "email": None,
        "emailPending": None,
    }


def test_what_is_left_out_stays_and_a_null_name_goes(platform: Platform, user: Wallet) -> None:
    assert (
        _update(platform, user, displayName=" রহিম  ", language="bn").data["displayName"] == "রহিম"
    )
    assert _update(platform, user, language="en").data["displayName"] == "রহিম"
    assert _update(platform, user, language=None).data["language"] == "en"
    session = platform.call("get_session", token=user.token).data
    assert session["user"]["displayName"] == "রহিম"
    assert _update(platform, user, displayName=None).data["displayName"] is None
    assert _update(platform, user).data == _profile(platform, user)


def test_a_name_is_stored_in_nfc(platform: Platform, user: Wallet) -> None:
    assert _update(platform, user, displayName="Jose\u0301").data["displayName"] == "Jos\u00e9"
    # Bengali conjuncts and emoji families are spelled with joiners.
    for joined in ("র‍্যাব", "👩‍🌾"):
        assert _update(platform, user, displayName=joined).data["displayName"] == joined


@pytest.mark.parametrize(
    "name",
    ["", "   ", "x" * 101, "a\nb", "a\tb", "\u202eevil", "a\u200bb", "\u200d", "a\u2028b", 7],
)
def test_a_name_that_cannot_be_read_is_refused(
    name: object, platform: Platform, user: Wallet
) -> None:
    refused = _update(platform, user, displayName=name)
    assert (refused.status, refused.body["details"]["field"]) == (400, "displayName")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "@example.com",
        "a@b",
        "a@example",
        "a b@example.com",
        "a@exa mple.com",
        "a@-example.com",
        "a@example..com",
        ".a@example.com",
        "a..b@example.com",
        "a@example.com\nBcc: b@example.com",
        "<a@example.com>",
        "a@example.com,b@example.com",
        '"a b"@example.com',
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "é@example.com",
        "x" * 65 + "@example.com",
        "x@" + "a." * 126 + "com",
        17,
    ],
)
def test_what_is_no_address_is_refused_by_name(
    address: object, platform: Platform, user: Wallet, mailbox: Mailbox
) -> None:
    refused = _update(platform, user, email=address)
    assert (refused.status, refused.body["details"]["field"]) == (400, "email")
    assert mailbox.mails == []


def test_another_language_is_refused(platform: Platform, user: Wallet) -> None:
    refused = _update(platform, user, language="fr")
    assert (refused.status, refused.body["details"]["field"]) == (400, "language")


def test_an_email_is_pending_until_its_link_is_opened(
    platform: Platform, user: Wallet, mailbox: Mailbox
) -> None:
    asked = _update(platform, user, email="Rahim@EXAMPLE.com", language="bn")
    assert asked.data["emailPending"] == "Rahim@example.com"
    assert asked.data["email"] is None
    (mail,) = mailbox.mails
    assert mail.source == SENDER
    assert mail.destinations["ToAddresses"] == ["Rahim@example.com"]
    assert mail.subject == "আপনার ইমেইল ঠিকানা নিশ্চিত করুন"
    assert "http://127.0.0.1:8000/api/v1/settings/email/confirm?token=" in mail.body
    assert "ahim" not in mail.body
    assert _confirm(platform, mailbox.token()).data == {"confirmed": True}
    assert _emails(platform, user) == ("Rahim@example.com", None)
    # A link that is opened twice, as mail scanners do, says the same.
    assert _confirm(platform, mailbox.token()).data == {"confirmed": True}
    # Nothing is due for an address that is confirmed.
    assert _update(platform, user, email="Rahim@example.com").data["emailPending"] is None
    assert len(mailbox.mails) == 1


def test_the_mail_speaks_the_users_language(
    platform: Platform, user: Wallet, mailbox: Mailbox
) -> None:
    _update(platform, user, email=ADDRESS)
    assert mailbox.mails[0].subject == "Confirm your email address"


def test_a_null_email_is_taken_away(platform: Platform, user: Wallet, mailbox: Mailbox) -> None:
    _update(platform, user, email=ADDRESS)
    first = mailbox.token()
    _confirm(platform, first)
    _update(platform, user, email="other@example.com")
    assert _emails(platform, user) == (ADDRESS, "other@example.com")
    assert _update(platform, user, email=None).data["emailPending"] is None
    assert _emails(platform, user) == (None, None)
    for token in (first, mailbox.token()):
        refused = _confirm(platform, token)
        assert (refused.status, refused.body["details"]["field"]) == (400, "token")
    assert _emails(platform, user) == (None, None)


def test_only_the_last_address_asked_for_can_be_confirmed(
    platform: Platform, user: Wallet, mailbox: Mailbox
) -> None:
    _update(platform, user, email=ADDRESS)
    stale = mailbox.token()
    _update(platform, user, email="other@example.com")
    refused = _confirm(platform, stale)
    assert (refused.status, refused.body["details"]["field"]) == (400, "token")
    assert _emails(platform, user) == (None, "other@example.com")


def test_a_link_lives_for_a_day(platform: Platform, user: Wallet, mailbox: Mailbox) -> None:
    _update(platform, user, email=ADDRESS)
    platform.advance(86_400)
    refused = _confirm(platform, mailbox.token())
    assert (refused.status, refused.body["details"]["field"]) == (400, "token")
    platform.advance(-1)
    assert _confirm(platform, mailbox.token()).status == 200


@pytest.mark.parametrize("token", ["", "x", "é", "=" * 20, "A" * 118, "A" * 119, "A" * 500, "a b"])
def test_what_is_no_token_is_refused_by_name(token: str, platform: Platform) -> None:
    refused = _confirm(platform, token)
    assert (refused.status, refused.body["details"]["field"]) == (400, "token")


@pytest.mark.usefixtures("platform")
def test_no_byte_of_a_token_may_change(monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    token = email_links.make_token(uuid.uuid4(), ADDRESS, now)
    assert len(token) == email_links.TOKEN_CHARS
    raw = base64.urlsafe_b64decode(token + "==")
    for position in range(len(raw)):
        altered = bytearray(raw)
        altered[position] ^= 1
        with pytest.raises(ValidationFailedError):
            email_links.read_token(base64.urlsafe_b64encode(altered).decode().rstrip("="), now)
    assert email_links.read_token(token, now).email_hash == email_links.hash_email(ADDRESS)
    monkeypatch.setenv("EMAIL_LINK_KEY", "another-key")
    with pytest.raises(ValidationFailedError):
        email_links.read_token(token, now)


def test_a_confirmed_address_is_one_users(platform: Platform, mailbox: Mailbox) -> None:
    first, second = platform.sign_in(), platform.sign_in()
    tokens = []
    for wallet, address in ((first, "r@example.com"), (second, "R@example.com")):
        # Asking says nothing of who else has it.
        assert _update(platform, wallet, email=address).data["emailPending"] == address
        tokens.append(mailbox.token())
    assert _confirm(platform, tokens[0]).status == 200
    refused = _confirm(platform, tokens[1])
    assert (refused.status, refused.body["code"]) == (409, "CONFLICT")
    assert _emails(platform, second) == (None, "R@example.com")
    _update(platform, first, email=None)
    assert _confirm(platform, tokens[1]).status == 200


def test_three_mails_an_hour(platform: Platform, user: Wallet, mailbox: Mailbox) -> None:
    for number in range(3):
        assert _update(platform, user, email=f"n{number}@example.com").status == 200
        platform.advance(600)
    refused = _update(platform, user, email="n3@example.com", displayName="New")
    assert (refused.status, refused.body["code"]) == (429, "RATE_LIMITED")
    assert refused.headers["retry-after"] == "1800"
    assert _profile(platform, user)["displayName"] is None
    assert _emails(platform, user) == (None, "n2@example.com")
    # What sends no mail is free.
    assert _update(platform, user, displayName="New").status == 200
    platform.advance(1_799)
    assert _update(platform, user, email="n3@example.com").status == 429
    platform.advance(1)
    assert _update(platform, user, email="n3@example.com").status == 200
    assert len(mailbox.mails) == 4


def test_concurrent_requests_send_three_mails(
    platform: Platform, user: Wallet, mailbox: Mailbox
) -> None:
    statuses: Counter[int] = Counter()

    def ask(number: int) -> None:
        statuses[_update(platform, user, email=f"n{number}@example.com").status] += 1
        platform.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == {200: 3, 429: 5}
    assert len(mailbox.mails) == 3


def test_many_wallets_cannot_flood_one_address(platform: Platform, mailbox: Mailbox) -> None:
    statuses = []
    for _ in range(3):
        wallet = platform.sign_in()
        statuses += [_update(platform, wallet, email=ADDRESS).status for _ in range(3)]
    assert statuses == [200] * 6 + [429] * 3
    assert len(mailbox.mails) == 6


def test_without_a_sender_nothing_is_changed(platform: Platform, user: Wallet) -> None:
    refused = _update(platform, user, email=ADDRESS, displayName="New")
    assert (refused.status, refused.body["code"]) == (503, "UNAVAILABLE")
    assert "EMAIL_SENDER" in refused.body["error"]
    assert _profile(platform, user)["displayName"] is None
    assert _emails(platform, user) == (None, None)


def test_without_a_key_no_link_is_made_or_believed(
    platform: Platform, user: Wallet, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    _update(platform, user, email=ADDRESS)
    monkeypatch.delenv("EMAIL_LINK_KEY")
    refused = _update(platform, user, email="other@example.com")
    assert (refused.status, "EMAIL_LINK_KEY" in refused.body["error"]) == (503, True)
    assert _confirm(platform, mailbox.token()).status == 503
    assert _emails(platform, user) == (None, ADDRESS)


@pytest.mark.parametrize(
    ("status", "code", "tries"),
    [
        (500, "InternalServiceErrorException", 2),
        (429, "TooManyRequestsException", 2),
        (400, "MessageRejected", 1),
        (403, "AccessDeniedException", 1),
    ],
)
def test_a_mail_that_fails_may_be_asked_for_again(
    status: int,
    code: str,
    tries: int,
    platform: Platform,
    user: Wallet,
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faulty = FaultyMailServer(status, code)
    with faulty.serve() as url:
        _mail_through(url, monkeypatch)
        failed = _update(platform, user, email=ADDRESS, displayName="Rahim")
    assert (failed.status, failed.body["code"]) == (502, "UPSTREAM_ERROR")
    assert failed.body["retryable"] is True
    assert faulty.asked == tries
    assert _profile(platform, user)["displayName"] == "Rahim"
    assert _emails(platform, user) == (None, ADDRESS)
    _mail_through(mailbox.url, monkeypatch)
    assert _update(platform, user, email=ADDRESS).status == 200
    assert _confirm(platform, mailbox.token()).status == 200
    assert _emails(platform, user) == (ADDRESS, None)


def test_a_silent_mail_server_costs_bounded_time(
    platform: Platform, user: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email, "READ_TIMEOUT_S", 0.2)
    faulty = FaultyMailServer(200, "", delay_s=30)
    with faulty.serve() as url:
        _mail_through(url, monkeypatch)
        assert _update(platform, user, email=ADDRESS).status == 502
    assert faulty.asked == 2


def test_refused_mails_leave_the_breaker_alone(
    platform: Platform, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for status, code in ((400, "MessageRejected"), (500, "InternalServiceErrorException")):
        faulty = FaultyMailServer(status, code)
        with faulty.serve() as url:
            _mail_through(url, monkeypatch)
            for number in range(2):
                wallet = platform.sign_in()
                for part in range(3):
                    address = f"{status}-{number}-{part}@example.com"
                    assert _update(platform, wallet, email=address).status == 502
        # Six refusals are six mails asked for; of six outages the breaker spares the last.
        assert faulty.asked == (6 if status == 400 else 10)
    _mail_through(mailbox.url, monkeypatch)
    assert _update(platform, platform.sign_in(), email=ADDRESS).status == 502
    assert mailbox.mails == []


def test_changes_are_audited_without_the_address(
    platform: Platform, user: Wallet, mailbox: Mailbox
) -> None:
    _update(platform, user, displayName="Rahim", email=ADDRESS)
    _confirm(platform, mailbox.token())
    _update(platform, user, email=None)
    with platform.database.connect() as owner:
        rows = owner.execute(
            "select action, changes, ip is not null, request_id is not null from audit_log"
            " where actor_id = %s and action <> 'connect_wallet' order by id",
            (user.user_id,),
        ).fetchall()
    assert rows == [
        ("update_profile", {"display_name": "Rahim", "email": "pending"}, True, True),
        ("confirm_email", {}, True, True),
        ("update_profile", {"email": "removed"}, True, True),
    ]


def test_nobody_else_has_a_profile(platform: Platform) -> None:
    assert platform.call("get_profile").status == 401
    assert platform.call("update_profile", body={"language": "bn"}).status == 401
