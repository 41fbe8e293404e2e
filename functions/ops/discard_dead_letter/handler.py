"""POST /admin/dead-letters/{letter_id}/discard: give a dead letter up, and say why."""

from presage.edge.http import api
from presage.ops.dead_letter_models import DeadLetter, DiscardDeadLetter
from presage.ops.dead_letters import discard_dead_letter

handler = api("discard_dead_letter", discard_dead_letter, DiscardDeadLetter, DeadLetter)
