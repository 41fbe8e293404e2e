"""POST /workflows/vote-aggregation: count votes; move what they decide."""

from presage.edge.workflow import workflow
from presage.votes.aggregation import vote_aggregation

handler = workflow("vote_aggregation", vote_aggregation)
