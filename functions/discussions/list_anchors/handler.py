"""GET /discussions/{id}/anchors: a market's snapshots in IPFS, newest first."""

from presage.discussions.models import Anchor, ListAnchors
from presage.discussions.service import list_anchors
from presage.edge.http import api

handler = api("list_anchors", list_anchors, ListAnchors, Anchor)
