"""POST /workflows/discussion-snapshot: pin what was said on the day before."""

from presage.discussions.snapshots import discussion_snapshot
from presage.edge.workflow import workflow

handler = workflow("discussion_snapshot", discussion_snapshot)
