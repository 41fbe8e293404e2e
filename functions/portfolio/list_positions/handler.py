"""GET /positions: the caller's positions with profit and loss."""

from presage.edge.http import api
from presage.portfolio.models import ListPositions, Positions
from presage.portfolio.service import list_positions

handler = api("list_positions", list_positions, ListPositions, Positions)
