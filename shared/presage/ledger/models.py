"""What wallet routes take, and the wallet itself."""

import re
import uuid
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from presage.ledger.mobile import normalise_mobile
from presage.money import MICROS, MoneyOut, parse_grid
from presage.schema import CursorRequest, Moment, RequestModel, ResponseModel

type Method = Literal["bkash", "nagad", "rocket", "bank", "usdt"]
type DepositStatus = Literal["pending", "verified", "rejected", "expired"]
type WithdrawalStatus = Literal["pending", "completed", "rejected"]

MOBILE_METHODS = frozenset({"bkash", "nagad", "rocket"})
USDT: Final = "USDT"
# In the currency that is sent or, for a withdrawal, in the collateral currency.
LEAST_WHOLE = 1
MOST_WHOLE = 10_000_000
CENTS = 100
MAX_RATE_MICROS = 10**12
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9 -]{4,38}[A-Za-z0-9]")


def _amount(value: object, scale: int) -> int:
    """An amount on the grid of `1/scale` within the limits, in micros."""
    units = parse_grid(value, scale, LEAST_WHOLE * scale, MOST_WHOLE * scale)
    return units * (MICROS // scale)


def _rate(value: object) -> int:
    return parse_grid(value, MICROS, 1, MAX_RATE_MICROS)


_AMOUNT_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "number"}, {"type": "string", "maxLength": 40}],
    "description": "from 1.00 to 10,000,000, at most two decimals (six in USDT)",
}
_RATE_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "number"}, {"type": "string", "maxLength": 40}],
    "description": "collateral currency for one, a multiple of 0.000001 up to 1,000,000",
}

Amount = Annotated[int, WithJsonSchema(_AMOUNT_SCHEMA)]
Rate = Annotated[int, BeforeValidator(_rate), WithJsonSchema(_RATE_SCHEMA)]
Currency = Annotated[str, Field(min_length=3, max_length=10, pattern=r"^[A-Z0-9]+$")]
Mobile = Annotated[str, Field(max_length=20), AfterValidator(normalise_mobile)]
# Letters and digits of a payment's number; the punctuation that providers print among them.
Reference = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=4,
        max_length=100,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._:/#-]*$",
    ),
]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]


class Wallet(ResponseModel):
    """The caller's money: free to use, and held by open orders."""

    currency: str
    available_micros: Annotated[MoneyOut, Field(alias="available")]
    locked_micros: Annotated[MoneyOut, Field(alias="locked")]


class CreateDeposit(RequestModel):
    """What was sent, how, and how to find it.

    `currency` is the method's own, and may be left out. `senderReference` is the payment's number
    at the sender's provider (for USDT the transaction's hash). `senderNumber` belongs to mobile
    money.
    """

    method: Method
    amount_micros: Annotated[Amount, Field(alias="amount")]
    currency: Currency | None = None
    sender_reference: Reference
    sender_number: Annotated[Mobile | None, Field(repr=False)] = None

    @field_validator("amount_micros", mode="before")
    @classmethod
    def _on_the_methods_grid(cls, value: object, info: ValidationInfo) -> int:
        return _amount(value, MICROS if info.data.get("method") == "usdt" else CENTS)


class ListDeposits(CursorRequest):
    """Which deposits. A pending one whose day is over counts as expired."""

    status: DepositStatus | None = None


class DepositPath(RequestModel):
    """One deposit by id."""

    deposit_id: uuid.UUID


class RejectDeposit(DepositPath):
    """Why the deposit is refused; its owner reads it."""

    reason: Reason


class CreateWithdrawal(RequestModel):
    """How much of the collateral currency to pay out, how, and where to.

    `destination` is a mobile number for mobile money, an account's number for a bank, an EVM
    address for USDT.
    """

    method: Method
    amount_micros: Annotated[Amount, Field(alias="amount")]
    destination: Annotated[str, Field(min_length=1, max_length=100, repr=False)]

    @field_validator("amount_micros", mode="before")
    @classmethod
    def _on_the_collaterals_grid(cls, value: object) -> int:
        return _amount(value, CENTS)

    @field_validator("destination", mode="after")
    @classmethod
    def _fits_the_method(cls, value: str, info: ValidationInfo) -> str:
        match info.data.get("method"):
            case "bkash" | "nagad" | "rocket":
                return normalise_mobile(value)
            case "usdt":
                from presage.identity.siwe import checksum_address

                return checksum_address(value)
            case "bank":
                if not _ACCOUNT.fullmatch(value):
                    raise ValueError("must be an account's number of 6 to 40 letters and digits")
        return value


class ListWithdrawals(CursorRequest):
    """Which withdrawals."""

    status: WithdrawalStatus | None = None


class WithdrawalPath(RequestModel):
    """One withdrawal by id."""

    withdrawal_id: uuid.UUID


class CompleteWithdrawal(WithdrawalPath):
    """The number of the payment that was made."""

    external_reference: Reference


class RejectWithdrawal(WithdrawalPath):
    """Why the withdrawal is refused; its owner reads it and has the money back."""

    reason: Reason


class GetExchangeRate(RequestModel):
    """Which currency's rate."""

    currency: Literal["USDT"] = USDT


class SetExchangeRate(GetExchangeRate):
    """What one of a currency is worth from now on, in the collateral currency."""

    currency: Literal["USDT"]
    rate_micros: Annotated[Rate, Field(alias="rate")]


class ListLedger(CursorRequest):
    """Which of the caller's transfers; `from` is inclusive, `to` is not."""

    kind: Annotated[str | None, Field(min_length=1, max_length=40, pattern=r"^[a-z_]+$")] = None
    made_from: Annotated[Moment | None, Field(alias="from")] = None
    made_to: Annotated[Moment | None, Field(alias="to")] = None

    @model_validator(mode="after")
    def _runs_forward(self) -> "ListLedger":
        if self.made_from and self.made_to and self.made_from >= self.made_to:
            raise ValueError("from must lie before to")
        return self
