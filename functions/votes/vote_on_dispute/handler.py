"""POST /votes/dispute: support or reject a dispute, by what one held in it."""

from presage.edge.http import api
from presage.votes.models import DisputeVoted, VoteOnDispute
from presage.votes.service import vote_on_dispute

handler = api("vote_on_dispute", vote_on_dispute, VoteOnDispute, DisputeVoted)
