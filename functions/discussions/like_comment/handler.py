"""POST /comments/{comment_id}/like: like a comment, or like it no more."""

from presage.discussions.models import CommentPath, Liked
from presage.discussions.service import like_comment
from presage.edge.http import api

handler = api("like_comment", like_comment, CommentPath, Liked)
