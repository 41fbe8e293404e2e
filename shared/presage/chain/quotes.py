"""What the programme would ask and pay, bit for bit, and where its arithmetic may be trusted.

Pure. Amounts are in lamports, shares and prices in 1/1,000,000,000. Errors of the programme's own
arithmetic come as UnprocessableError by their names.
"""

from collections.abc import Callable

from presage.chain import lmsr
from presage.chain.accounts import GlobalConfig, MarketAccount
from presage.chain.lmsr import ONE, ArithmeticFailureError, Fees
from presage.chain.models import Quote, TradeFees
from presage.errors import UnprocessableError

_E9_PER_BPS = ONE // 10_000


def quote_buy(
    market: MarketAccount, config: GlobalConfig, target_cost: int, *, is_yes: bool
) -> Quote:
    """What a target buys. The programme searches the shares that 10/11 of it pay for.

    Raises:
        UnprocessableError: less than 10,000 lamports, out of the range in which the programme's
            prices are sane, or refused by its arithmetic.
    """
    if target_cost < lmsr.MIN_TRADE_LAMPORTS:
        raise _refused("TradeTooSmall")
    sides, b = (market.shares_yes, market.shares_no), market.b_parameter
    _check_range(*sides, b)
    target = lmsr.target_of(target_cost)
    shares = _run(lambda: lmsr.shares_for(*sides, b, target, is_yes=is_yes))
    cost = _run(lambda: lmsr.buy_cost(*sides, b, shares, is_yes=is_yes))
    fees = lmsr.fees(cost, *_rates(config))
    return _quote(market, shares, cost, fees, cost + fees.total, is_yes=is_yes)


def quote_sell(market: MarketAccount, config: GlobalConfig, shares: int, *, is_yes: bool) -> Quote:
    """What shares bring back, fees deducted.

    Raises:
        UnprocessableError: as for a buy, or the market has not so many shares.
    """
    sides, b = (market.shares_yes, market.shares_no), market.b_parameter
    _check_range(*sides, b)
    gross = _run(lambda: lmsr.sell_proceeds(*sides, b, shares, is_yes=is_yes))
    if gross < lmsr.MIN_TRADE_LAMPORTS:
        raise _refused("TradeTooSmall")
    fees = lmsr.fees(gross, *_rates(config))
    return _quote(market, -shares, gross, fees, gross - fees.total, is_yes=is_yes)


def _quote(
    market: MarketAccount, moved: int, cost: int, fees: Fees, total: int, *, is_yes: bool
) -> Quote:
    yes, no, b = market.shares_yes, market.shares_no, market.b_parameter
    after = (yes + moved, no) if is_yes else (yes, no + moved)
    _check_range(*after, b)
    side = 0 if is_yes else 1
    price_before = _run(lambda: lmsr.prices(yes, no, b)[side])
    price_after = _run(lambda: lmsr.prices(*after, b)[side])
    shares = abs(moved)
    return Quote(
        outcome="YES" if is_yes else "NO",
        shares=shares,
        cost=cost,
        fees=TradeFees(**fees._asdict(), total=fees.total),
        total=total,
        average_price=total * ONE // shares if shares else 0,
        price_before=price_before,
        price_after=price_after,
        price_impact_bps=abs(price_after - price_before) // _E9_PER_BPS,
    )


def _check_range(yes: int, no: int, b: int) -> None:
    """Past three the programme's exponential falls again: its prices are then wrong."""
    if abs(yes - no) > lmsr.SANE_IMBALANCE * b:
        raise UnprocessableError(
            "One side outweighs the other by more than three times the market's b, where the"
            " programme's prices are wrong: trade less, or the other side."
        )


def _rates(config: GlobalConfig) -> tuple[int, int, int]:
    return (
        config.protocol_fee_bps,
        config.resolver_reward_bps,
        config.liquidity_provider_fee_bps,
    )


def _run(arithmetic: Callable[[], int]) -> int:
    try:
        return arithmetic()
    except ArithmeticFailureError as error:
        raise _refused(str(error)) from None


def _refused(name: str) -> UnprocessableError:
    return UnprocessableError(f"The programme refuses this: {name}.")
