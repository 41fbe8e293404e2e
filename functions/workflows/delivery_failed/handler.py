"""POST /workflows/delivery-failed: keep a message that QStash gave up."""

from presage.edge.workflow import callback
from presage.ops.dead_letter_models import DeliveryKept, FailedDelivery
from presage.ops.dead_letters import delivery_failed

handler = callback("delivery_failed", delivery_failed, FailedDelivery, DeliveryKept)
