"""POST /votes/proposal: like or dislike a proposed market, once a wallet."""

from presage.edge.http import api
from presage.votes.models import ProposalVoted, VoteOnProposal
from presage.votes.service import vote_on_proposal

handler = api("vote_on_proposal", vote_on_proposal, VoteOnProposal, ProposalVoted)
