"""POST /workflows/leaderboard-refresh: rank everybody anew."""

from presage.analytics.leaderboard import leaderboard_refresh
from presage.edge.workflow import workflow

handler = workflow("leaderboard_refresh", leaderboard_refresh)
