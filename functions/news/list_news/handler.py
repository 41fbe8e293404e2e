"""GET /news: what the configured feeds said, newest first."""

from presage.edge.http import api
from presage.news.models import ListNews, NewsItem
from presage.news.service import list_news

handler = api("list_news", list_news, ListNews, NewsItem)
