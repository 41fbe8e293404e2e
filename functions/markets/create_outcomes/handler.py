"""POST /markets/{market_id}/outcomes: turn an untraded market into one of several outcomes."""

from presage.edge.http import api
from presage.markets.lifecycle import create_outcomes
from presage.markets.models import CreateOutcomes
from presage.markets.views import CreatedOutcome

handler = api("create_outcomes", create_outcomes, CreateOutcomes, CreatedOutcome)
