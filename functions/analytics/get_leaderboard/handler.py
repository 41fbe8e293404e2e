"""GET /leaderboard: who earned, traded or was right the most."""

from presage.analytics.leaderboard import get_leaderboard
from presage.analytics.models import GetLeaderboard, LeaderboardEntry
from presage.edge.http import api

handler = api("get_leaderboard", get_leaderboard, GetLeaderboard, LeaderboardEntry)
