"""POST /webhooks/helius: index a delivery of raw transactions."""

from presage.edge.webhook import webhook
from presage.events.indexing import receive_helius
from presage.events.models import DeliveryIndexed

handler = webhook("receive_helius", receive_helius, DeliveryIndexed)
