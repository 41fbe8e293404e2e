"""The mails of identity, by language: one table."""

from dataclasses import dataclass

from presage.adapters.email import Email
from presage.call import Language


@dataclass(frozen=True)
class _Text:
    subject: str
    body: str


_CONFIRM_EMAIL: dict[Language, _Text] = {
    "en": _Text(
        "Confirm your email address",
        "Somebody asked to use this address for their Presage account.\n\n"
        "To confirm it, open this link within 24 hours:\n{link}\n\n"
        "If that was not you, ignore this mail.\n",
    ),
    "bn": _Text(
        "আপনার ইমেইল ঠিকানা নিশ্চিত করুন",
        "একটি Presage অ্যাকাউন্টে এই ইমেইল ঠিকানাটি ব্যবহারের অনুরোধ করা হয়েছে।\n\n"
        "নিশ্চিত করতে ২৪ ঘণ্টার মধ্যে এই লিংকটি খুলুন:\n{link}\n\n"
        "অনুরোধটি আপনার না হলে এই ইমেইলটি উপেক্ষা করুন।\n",
    ),
}


def confirm_email(to: str, language: Language, link: str) -> Email:
    """The mail that carries a confirmation link."""
    text = _CONFIRM_EMAIL[language]
    return Email(to=to, subject=text.subject, text=text.body.format(link=link))
