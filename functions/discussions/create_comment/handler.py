"""POST /discussions: say something of a market, or answer."""

from presage.discussions.models import Comment, CreateComment
from presage.discussions.service import create_comment
from presage.edge.http import api

handler = api("create_comment", create_comment, CreateComment, Comment)
