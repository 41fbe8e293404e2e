"""POST /webhooks/events: index a delivery of raw transactions, by its other name."""

from presage.edge.webhook import webhook
from presage.events.indexing import receive_helius
from presage.events.models import DeliveryIndexed

handler = webhook("receive_events", receive_helius, DeliveryIndexed)
