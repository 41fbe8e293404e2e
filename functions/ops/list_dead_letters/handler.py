"""GET /admin/dead-letters: what workflows could not handle, newest first."""

from presage.edge.http import api
from presage.ops.dead_letter_models import DeadLetter, ListDeadLetters
from presage.ops.dead_letters import list_dead_letters

handler = api("list_dead_letters", list_dead_letters, ListDeadLetters, DeadLetter)
