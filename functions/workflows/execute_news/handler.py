"""POST /workflows/execute-news: fetch the configured news feeds."""

from presage.edge.workflow import workflow
from presage.news.service import execute_news

handler = workflow("execute_news", execute_news)
