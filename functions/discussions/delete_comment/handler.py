"""DELETE /discussions/{id}: take one's comment back; an admin takes any."""

from presage.discussions.models import CommentDeleted, DeleteComment
from presage.discussions.service import delete_comment
from presage.edge.http import api

handler = api("delete_comment", delete_comment, DeleteComment, CommentDeleted)
