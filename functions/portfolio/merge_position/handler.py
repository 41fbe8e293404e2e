"""POST /positions/merge: give a YES and a NO, or a YES of every outcome, back for 1.00."""

from presage.edge.http import api
from presage.portfolio.models import ChangeShares, SharesChanged
from presage.portfolio.service import merge_position

handler = api("merge_position", merge_position, ChangeShares, SharesChanged)
