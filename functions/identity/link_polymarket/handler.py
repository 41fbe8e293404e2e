"""PUT /settings/polymarket: store or replace the caller's Polymarket credentials."""

from presage.edge.http import api
from presage.identity.credentials import link_polymarket
from presage.identity.profile_models import LinkPolymarket, PolymarketLink

handler = api("link_polymarket", link_polymarket, LinkPolymarket, PolymarketLink)
