"""POST /positions/convert: a NO of one outcome for a YES of every other."""

from presage.edge.http import api
from presage.portfolio.models import ConvertShares, SharesChanged
from presage.portfolio.service import convert_position

handler = api("convert_position", convert_position, ConvertShares, SharesChanged)
