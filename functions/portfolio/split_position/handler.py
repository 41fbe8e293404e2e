"""POST /positions/split: pay 1.00 for a YES and a NO, or for a YES of every outcome."""

from presage.edge.http import api
from presage.portfolio.models import ChangeShares, SharesChanged
from presage.portfolio.service import split_position

handler = api("split_position", split_position, ChangeShares, SharesChanged)
