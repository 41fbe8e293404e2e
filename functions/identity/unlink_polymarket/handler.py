"""DELETE /settings/polymarket: forget the caller's Polymarket credentials."""

from presage.edge.http import api
from presage.identity.credentials import unlink_polymarket
from presage.identity.profile_models import PolymarketLink
from presage.schema import Nothing

handler = api("unlink_polymarket", unlink_polymarket, Nothing, PolymarketLink)
