"""Trading on `zmart_core` and paying out, by the documented rules.

Where the documentation is silent: a buy adds to `current_liquidity` all that it puts into the
market's account.
"""

from infra.local.solana.anchor import Frame, Rule
from infra.local.solana.derived import derived
from presage.chain import accounts, events, lmsr
from presage.chain.accounts import GlobalConfig, MarketAccount, UserPosition
from presage.chain.programme import MarketState

WITHDRAWAL_MARGIN_LAMPORTS = 10_000


def buy_shares(frame: Frame, *, outcome: bool, target_cost: int) -> None:
    """Buy for at most `target_cost`, fees included."""
    market, config = _trading(frame)
    frame.require(target_cost >= lmsr.MIN_TRADE_LAMPORTS, "TradeTooSmall")
    sides = market.shares_yes, market.shares_no
    target = lmsr.target_of(target_cost)
    shares = lmsr.shares_for(*sides, market.b_parameter, target, is_yes=outcome)
    cost = lmsr.buy_cost(*sides, market.b_parameter, shares, is_yes=outcome)
    fees = _fees(config, cost)
    total = cost + fees.total
    frame.require(total <= target_cost, "SlippageExceeded")
    position = _position(frame)
    frame.pay_in("user", "market", total - fees.protocol)
    frame.pay_in("user", "protocol_fee_wallet", fees.protocol)
    market = market._replace(
        total_volume=market.total_volume + total,
        current_liquidity=market.current_liquidity + total - fees.protocol,
        accumulated_resolver_fees=market.accumulated_resolver_fees + fees.resolver,
        accumulated_lp_fees=market.accumulated_lp_fees + fees.provider,
    )
    position = position._replace(total_invested=position.total_invested + total)
    price = _trade(frame, market, position, shares if outcome else 0, 0 if outcome else shares)
    user = bytes(frame.key("user"))
    frame.emit(
        events.SharesBought(market.market_id, user, outcome, shares, total, price, frame.now)
    )


def sell_shares(frame: Frame, *, outcome: bool, shares_to_sell: int, min_proceeds: int) -> None:
    """Sell for at least `min_proceeds`, fees deducted."""
    market, config = _trading(frame)
    position = frame.position
    held = position.shares_yes if outcome else position.shares_no
    frame.require(held >= shares_to_sell, "InsufficientShares")
    sides = market.shares_yes, market.shares_no
    gross = lmsr.sell_proceeds(*sides, market.b_parameter, shares_to_sell, is_yes=outcome)
    frame.require(gross >= lmsr.MIN_TRADE_LAMPORTS, "TradeTooSmall")
    fees = _fees(config, gross)
    net = gross - fees.total
    frame.require(net >= min_proceeds, "SlippageExceeded")
    frame.require(market.current_liquidity >= net + fees.protocol, "InsufficientLiquidity")
    market = market._replace(
        total_volume=market.total_volume + gross,
        current_liquidity=market.current_liquidity - net - fees.protocol,
        accumulated_resolver_fees=market.accumulated_resolver_fees + fees.resolver,
        accumulated_lp_fees=market.accumulated_lp_fees + fees.provider,
    )
    sold = -shares_to_sell
    price = _trade(frame, market, position, sold if outcome else 0, 0 if outcome else sold)
    frame.pay_out("user", net)
    frame.pay_out("protocol_fee_wallet", fees.protocol)
    user = bytes(frame.key("user"))
    frame.emit(
        events.SharesSold(market.market_id, user, outcome, shares_to_sell, net, price, frame.now)
    )


def _trading(frame: Frame) -> tuple[MarketAccount, GlobalConfig]:
    market, config = frame.market, frame.config
    frame.require(market.state == MarketState.ACTIVE, "InvalidMarketState")
    wallet = bytes(frame.key("protocol_fee_wallet"))
    frame.require(wallet == config.protocol_fee_wallet, "Unauthorized")
    frame.require(not config.is_paused, "ProtocolPaused")
    return market, config


def _position(frame: Frame) -> UserPosition:
    """The user's position, made by its first buy."""
    if frame.exists("position"):
        return frame.position
    market, user = bytes(frame.key("market")), bytes(frame.key("user"))
    fresh = UserPosition(market, user, 0, 0, 0, 0, 0, has_claimed=False, claimed_amount=0,
                         reserved=bytes(64), bump=0)  # fmt: skip
    place = derived(b"position", market, user)
    bump = frame.create("position", place, "user", len(accounts.encode_account(fresh)))
    return fresh._replace(bump=bump)


def _trade(frame: Frame, market: MarketAccount, position: UserPosition, yes: int, no: int) -> int:
    """Write both sides of a trade; the price of YES after it."""
    market = market._replace(shares_yes=market.shares_yes + yes, shares_no=market.shares_no + no)
    frame.save("market", market)
    frame.save(
        "position",
        position._replace(
            shares_yes=position.shares_yes + yes,
            shares_no=position.shares_no + no,
            trades_count=position.trades_count + 1,
            last_trade_at=frame.now,
        ),
    )
    return lmsr.prices(market.shares_yes, market.shares_no, market.b_parameter)[0]


def _fees(config: GlobalConfig, amount: int) -> lmsr.Fees:
    return lmsr.fees(
        amount,
        config.protocol_fee_bps,
        config.resolver_reward_bps,
        config.liquidity_provider_fee_bps,
    )


def claim_winnings(frame: Frame) -> None:
    """Pay a winner its part of the liquidity, or give back what was invested without an outcome."""
    market = frame.market
    frame.require(market.state == MarketState.FINALIZED, "InvalidMarketState")
    position = frame.position
    frame.require(not position.has_claimed, "AlreadyClaimed")
    frame.require(bytes(frame.key("resolver")) == market.resolver, "InvalidResolver")
    outcome, reward = market.final_outcome, market.accumulated_resolver_fees
    if outcome is None:
        winnings, reward = position.total_invested, 0
    else:
        won = position.shares_yes if outcome else position.shares_no
        frame.require(won > 0, "NoWinnings")
        of = market.shares_yes if outcome else market.shares_no
        winnings = won * market.current_liquidity // of
    frame.require(winnings > 0, "NoWinnings")
    frame.require(frame.balance >= winnings + reward, "InsufficientLiquidity")
    frame.pay_out("user", winnings)
    if reward:
        frame.pay_out("resolver", reward)
        frame.save("market", market._replace(accumulated_resolver_fees=0))
    frame.save("position", position._replace(has_claimed=True, claimed_amount=winnings))
    user = bytes(frame.key("user"))
    frame.emit(
        events.WinningsClaimed(bytes(frame.key("market")), user, outcome, winnings, frame.now)
    )


def withdraw_liquidity(frame: Frame) -> None:
    """Give the creator what is left above the rent."""
    market = frame.market
    frame.require(market.state == MarketState.FINALIZED, "InvalidMarketState")
    frame.require(bytes(frame.key("creator")) == market.creator, "Unauthorized")
    rent = frame.invocation.machine.rent(accounts.MARKET_ACCOUNT_BYTES)
    amount = max(0, frame.balance - rent - WITHDRAWAL_MARGIN_LAMPORTS)
    frame.require(amount > 0, "InsufficientLiquidity")
    frame.pay_out("creator", amount)
    frame.save("market", market._replace(current_liquidity=0, accumulated_lp_fees=0))
    frame.emit(events.LiquidityWithdrawn(market.market_id, market.creator, amount, frame.now))


TRADING_RULES: dict[str, Rule] = {
    rule.__name__: rule for rule in (buy_shares, sell_shares, claim_winnings, withdraw_liquidity)
}
