"""POST /workflows/dead-letter-retry: send what failed out again."""

from presage.edge.workflow import workflow
from presage.ops.dead_letters import dead_letter_retry

handler = workflow("dead_letter_retry", dead_letter_retry)
