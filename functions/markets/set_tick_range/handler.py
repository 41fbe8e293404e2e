"""PUT /markets/{market_id}/tick-range: between which ticks a market's own follows volatility."""

from presage.edge.http import api
from presage.markets.lifecycle import set_tick_range
from presage.markets.models import SetTickRange
from presage.markets.views import TickRangeSet

handler = api("set_tick_range", set_tick_range, SetTickRange, TickRangeSet)
