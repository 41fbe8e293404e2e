"""The words of every type of notification, in English and Bengali.

`{question}` is the market's, in the language if it has one; money and prices are exact decimals.
"""

from dataclasses import dataclass

from presage.notifications.models import NotificationType


@dataclass(frozen=True)
class Words:
    """A title and a body in one language."""

    title: str
    body: str


TEMPLATES: dict[NotificationType, tuple[Words, Words]] = {
    "order_filled": (
        Words("Order filled", "Your order of {size} {position} at {price} is filled: {question}"),
        Words("অর্ডার পূর্ণ হয়েছে", "আপনার {price} দরে {size} {position} অর্ডার পূর্ণ হয়েছে: {question}"),
    ),
    "market_closing_soon": (
        Words("Closing soon", "A market you follow closes within an hour: {question}"),
        Words("শীঘ্রই বন্ধ হচ্ছে", "আপনার অনুসরণ করা বাজারটি এক ঘণ্টার মধ্যে বন্ধ হবে: {question}"),
    ),
    "market_resolved": (
        Words("Market resolved", "A market you follow or hold is decided: {question}"),
        Words("বাজারের ফল হয়েছে", "আপনার অনুসরণ করা বা শেয়ার থাকা বাজারের ফল নির্ধারিত হয়েছে: {question}"),
    ),
    "large_trade": (
        Words(
            "Large trade", "{amount} {currency} traded at once in a market you follow: {question}"
        ),
        Words("বড় লেনদেন", "আপনার অনুসরণ করা বাজারে একবারে {amount} {currency} লেনদেন: {question}"),
    ),
    "comment_reply": (
        Words("New reply", "Somebody answered your comment: {question}"),
        Words("নতুন উত্তর", "আপনার মন্তব্যে কেউ উত্তর দিয়েছেন: {question}"),
    ),
    "position_settled": (
        Words("Position settled", "You were paid {amount} {currency}: {question}"),
        Words("অবস্থান নিষ্পত্তি হয়েছে", "আপনি {amount} {currency} পেয়েছেন: {question}"),
    ),
    "deposit_verified": (
        Words("Deposit verified", "{amount} {currency} is in your wallet."),
        Words("জমা যাচাই হয়েছে", "{amount} {currency} আপনার ওয়ালেটে জমা হয়েছে।"),
    ),
    "withdrawal_completed": (
        Words("Withdrawal completed", "{amount} {currency} was sent to you."),
        Words("উত্তোলন সম্পন্ন", "আপনাকে {amount} {currency} পাঠানো হয়েছে।"),
    ),
    "alert_triggered": (
        Words("Alert", "An alert of yours was triggered: {question}"),
        Words("সতর্কতা", "আপনার একটি সতর্কতা সক্রিয় হয়েছে: {question}"),
    ),
    "settlement_escalation": (
        Words("Decision needed", "A question waits for a human decision: {question}"),
        Words("সিদ্ধান্ত প্রয়োজন", "একটি প্রশ্ন মানুষের সিদ্ধান্তের অপেক্ষায়: {question}"),
    ),
}
