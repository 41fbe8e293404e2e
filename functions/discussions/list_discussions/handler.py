"""GET /discussions/{id}: what people say of a market, in threads, newest first."""

from presage.discussions.models import ListDiscussions, Thread
from presage.discussions.service import list_discussions
from presage.edge.http import api

handler = api("list_discussions", list_discussions, ListDiscussions, Thread)
