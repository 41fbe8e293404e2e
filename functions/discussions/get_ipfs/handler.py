"""GET /ipfs/{cid}: a published document, checked against its CID."""

from presage.discussions.models import ContentPath
from presage.discussions.snapshots import get_ipfs
from presage.edge.http import page

handler = page("get_ipfs", get_ipfs, ContentPath)
