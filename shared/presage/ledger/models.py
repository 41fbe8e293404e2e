"""What wallet routes answer."""

from typing import Annotated

from pydantic import Field

from presage.money import MoneyOut
from presage.schema import ResponseModel


class Wallet(ResponseModel):
    """The caller's money: free to use, and held by open orders."""

    currency: str
    available_micros: Annotated[MoneyOut, Field(alias="available")]
    locked_micros: Annotated[MoneyOut, Field(alias="locked")]
