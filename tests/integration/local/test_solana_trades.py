"""Trading on the local `zmart_core`, and paying out: money, shares, events, refusals."""

from solders.keypair import Keypair

from presage.chain import accounts, events, lmsr, programme
from tests.cluster import AUTHORITY, SOL, B

from .solana_scene import Scene, refused


def test_a_buy(scene: Scene) -> None:
    market = scene.cluster.active_market(scene.creator)
    user, target = scene.trader, SOL // 10
    wallet = scene.cluster.trading_keys(market, user.pubkey())["protocol_fee_wallet"]
    balances = [scene.cluster.balance(key) for key in (user.pubkey(), market, wallet)]
    signature = scene.cluster.buy(user, market, target, outcome=False)
    start = B // 1_000
    shares = lmsr.shares_for(start, start, B, lmsr.target_of(target), is_yes=False)
    cost = lmsr.buy_cost(start, start, B, shares, is_yes=False)
    fees = lmsr.fees(cost)
    total = cost + fees.total
    assert scene.cluster.events(signature) == [
        events.SharesBought(
            scene.market(market).market_id,
            bytes(user.pubkey()),
            outcome=False,
            shares=shares,
            cost=total,
            new_price_yes=lmsr.prices(start, start + shares, B)[0],
            timestamp=scene.now_s(),
        )
    ]
    rent = scene.cluster.balance(programme.position_address(market, user.pubkey()))
    after = [scene.cluster.balance(key) for key in (user.pubkey(), market, wallet)]
    assert [new - old for new, old in zip(after, balances, strict=True)] == [
        -total - rent - 5_000,
        total - fees.protocol,
        fees.protocol,
    ]
    found, position = scene.market(market), scene.position(market, user)
    assert (found.shares_yes, found.shares_no) == (start, start + shares)
    assert (found.total_volume, found.current_liquidity) == (total, SOL + total - fees.protocol)
    assert (found.accumulated_resolver_fees, found.accumulated_lp_fees) == fees[1:]
    assert position[:8] == (
        *(bytes(market), bytes(user.pubkey()), 0, shares, total, 1),
        *(scene.now_s(), False),
    )
    scene.cluster.buy(user, market, target)
    again = scene.position(market, user)
    assert (again.trades_count, again.shares_no) == (2, shares)
    assert again.shares_yes > 0


def test_a_sale(scene: Scene) -> None:
    market = scene.cluster.active_market(scene.creator)
    user = scene.trader
    scene.cluster.buy(user, market, SOL)
    before, held = scene.market(market), scene.position(market, user)
    shares = held.shares_yes // 2
    gross = lmsr.sell_proceeds(before.shares_yes, before.shares_no, B, shares, is_yes=True)
    fees = lmsr.fees(gross)
    net = gross - fees.total

    def sell(count: int, least: int) -> str:
        return scene.cluster.sell(user, market, count, least=least)

    assert refused(lambda: sell(held.shares_yes + 1, 0)) == "InsufficientShares"
    assert refused(lambda: sell(1_000, 0)) == "TradeTooSmall"
    assert refused(lambda: sell(shares, net + 1)) == "SlippageExceeded"
    money = scene.cluster.balance(user.pubkey())
    [event] = scene.cluster.events(sell(shares, net))
    assert scene.cluster.balance(user.pubkey()) == money + net - 5_000
    assert event == events.SharesSold(
        before.market_id,
        bytes(user.pubkey()),
        outcome=True,
        shares=shares,
        proceeds=net,
        new_price_yes=lmsr.prices(before.shares_yes - shares, before.shares_no, B)[0],
        timestamp=scene.now_s(),
    )
    after, left = scene.market(market), scene.position(market, user)
    assert after.current_liquidity == before.current_liquidity - net - fees.protocol
    assert after.total_volume == before.total_volume + gross
    assert (left.shares_yes, left.trades_count) == (held.shares_yes - shares, 2)
    assert left.total_invested == held.total_invested


def test_what_trading_refuses(scene: Scene) -> None:
    market, user = scene.cluster.active_market(scene.creator), scene.trader
    assert refused(lambda: scene.cluster.buy(user, market, 9_999)) == "TradeTooSmall"
    assert refused(lambda: scene.cluster.buy(user, market, 10**12)) == "1"  # System: no money
    keys = scene.cluster.trading_keys(market, user.pubkey())
    trade = {"outcome": True, "target_cost": SOL}
    wrong = keys | {"protocol_fee_wallet": user.pubkey()}
    assert refused(lambda: scene.cluster.run("buy_shares", user, wrong, **trade)) == "Unauthorized"
    foreign = keys | {"position": programme.position_address(market, scene.creator.pubkey())}
    assert refused(lambda: scene.cluster.run("buy_shares", user, foreign, **trade)) == "2006"
    assert refused(lambda: scene.cluster.sell(user, market, 1)) == "3012"  # no position
    tiny = scene.cluster.active_market(scene.creator, b=SOL)
    assert refused(lambda: scene.cluster.buy(user, tiny, SOL)) == "InvalidBParameter"
    proposed = scene.cluster.create_market(scene.creator)
    assert refused(lambda: scene.cluster.buy(user, proposed, SOL)) == "InvalidMarketState"


def test_winners_claim_pro_rata(scene: Scene) -> None:
    market, loser, resolver = scene.cluster.active_market(scene.creator), Keypair(), Keypair()
    for wallet in (loser, resolver):
        scene.cluster.rpc("requestAirdrop", str(wallet.pubkey()), 5 * SOL)
    scene.cluster.buy(scene.trader, market, SOL)
    scene.cluster.buy(loser, market, SOL, outcome=False)
    scene.cluster.resolve(resolver, market)
    assert refused(lambda: scene.cluster.claim(scene.trader, market)) == "InvalidMarketState"
    scene.days_later(3)
    scene.cluster.finalize(market)
    found, position = scene.market(market), scene.position(market, scene.trader)
    expected = position.shares_yes * found.current_liquidity // found.shares_yes
    before = [scene.cluster.balance(key.pubkey()) for key in (scene.trader, resolver)]
    assert refused(lambda: scene.cluster.claim(loser, market)) == "NoWinnings"
    [event] = scene.cluster.events(scene.cluster.claim(scene.trader, market))
    user = bytes(scene.trader.pubkey())
    assert event == events.WinningsClaimed(
        bytes(market), user, outcome=True, amount=expected, timestamp=scene.now_s()
    )
    after = [scene.cluster.balance(key.pubkey()) for key in (scene.trader, resolver)]
    assert after == [before[0] + expected - 5_000, before[1] + found.accumulated_resolver_fees]
    position = scene.position(market, scene.trader)
    assert (position.has_claimed, position.claimed_amount) == (True, expected)
    assert scene.market(market).accumulated_resolver_fees == 0
    assert refused(lambda: scene.cluster.claim(scene.trader, market)) == "AlreadyClaimed"

    def withdraw(wallet: Keypair) -> str:
        keys = {"market": market, "creator": wallet.pubkey()}
        return scene.cluster.run("withdraw_liquidity", wallet, keys)

    assert refused(lambda: withdraw(scene.trader)) == "Unauthorized"
    left = scene.cluster.balance(market)
    rent = scene.cluster.rpc("getMinimumBalanceForRentExemption", accounts.MARKET_ACCOUNT_BYTES)
    [event] = scene.cluster.events(withdraw(scene.creator))
    amount = left - rent - 10_000
    creator = bytes(scene.creator.pubkey())
    assert event == events.LiquidityWithdrawn(found.market_id, creator, amount, scene.now_s())
    assert scene.cluster.balance(market) == rent + 10_000
    assert refused(lambda: withdraw(scene.creator)) == "InsufficientLiquidity"


def test_without_an_outcome_the_stake_comes_back(scene: Scene) -> None:
    market = scene.disputed()
    scene.cluster.run(
        "aggregate_dispute_votes",
        AUTHORITY,
        {"market": market, "backend_authority": AUTHORITY.pubkey()},
        final_agrees=0,
        final_disagrees=1,
    )
    paid = scene.position(market, scene.trader).total_invested
    before = scene.cluster.balance(scene.trader.pubkey())
    [event] = scene.cluster.events(scene.cluster.claim(scene.trader, market))
    assert isinstance(event, events.WinningsClaimed)
    assert (event.outcome, event.amount) == (None, paid)
    assert scene.cluster.balance(scene.trader.pubkey()) == before + paid - 5_000
