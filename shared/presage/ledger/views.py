"""What wallet routes answer: money as decimals, mobile numbers masked."""

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import Field

from presage.ledger.models import DepositStatus, Method, WithdrawalStatus
from presage.money import MoneyOut
from presage.schema import ResponseModel


class Deposit(ResponseModel):
    """A deposit as it stands.

    `amount` was sent, in `currency`; `creditedAmount` is what verification credits, in
    `creditedCurrency`, at a `rate` frozen with the deposit and rounded down (the rest stays with
    the platform). `senderNumber` is masked.
    """

    id: uuid.UUID
    method: Method
    currency: str
    amount_micros: Annotated[MoneyOut, Field(alias="amount")]
    rate_micros: Annotated[MoneyOut | None, Field(alias="rate")]
    credited_micros: Annotated[MoneyOut, Field(alias="creditedAmount")]
    credited_currency: str
    sender_reference: str
    sender_number: str | None
    status: DepositStatus
    reason: str | None
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None


class DepositCase(Deposit):
    """A deposit as admins see it: whose it is, and who decided."""

    user_id: uuid.UUID
    decided_by: uuid.UUID | None


class Withdrawal(ResponseModel):
    """A withdrawal as it stands.

    `amount` left the balance, in the collateral currency; `payoutAmount` is to be paid, in
    `payoutCurrency`, at a `rate` frozen with the withdrawal and rounded down. A mobile number as
    `destination` is masked.
    """

    id: uuid.UUID
    method: Method
    currency: str
    amount_micros: Annotated[MoneyOut, Field(alias="amount")]
    rate_micros: Annotated[MoneyOut | None, Field(alias="rate")]
    payout_micros: Annotated[MoneyOut, Field(alias="payoutAmount")]
    payout_currency: str
    destination: str
    status: WithdrawalStatus
    external_reference: str | None
    reason: str | None
    created_at: datetime
    decided_at: datetime | None


class WithdrawalCase(Withdrawal):
    """A withdrawal as admins see it: whose it is, and who decided."""

    user_id: uuid.UUID
    decided_by: uuid.UUID | None


class ExchangeRate(ResponseModel):
    """What one `base` is worth in `quote`, as it was last observed.

    Nothing converts at a stale rate: one over 24 hours old, or none at all (all null).
    """

    base: str
    quote: str
    rate_micros: Annotated[MoneyOut | None, Field(alias="rate")]
    source: str | None
    observed_at: datetime | None
    is_stale: bool


class LedgerEntry(ResponseModel):
    """One transfer, as the caller's cash saw it.

    `amount` is what the cash gained (negative: paid); `balance` is what it then was, or null when
    the list is filtered.
    """

    id: int
    kind: str
    amount_micros: Annotated[MoneyOut, Field(alias="amount")]
    balance_micros: Annotated[MoneyOut | None, Field(alias="balance")]
    reference: str
    market_id: uuid.UUID | None
    created_at: datetime
