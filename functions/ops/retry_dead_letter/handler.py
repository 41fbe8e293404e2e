"""POST /admin/dead-letters/{letter_id}/retry: have a dead letter tried again in its next run."""

from presage.edge.http import api
from presage.ops.dead_letter_models import DeadLetter, LetterPath
from presage.ops.dead_letters import retry_dead_letter

handler = api("retry_dead_letter", retry_dead_letter, LetterPath, DeadLetter)
