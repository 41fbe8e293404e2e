"""GET /bookmarks: the caller's bookmarks, newest first."""

from presage.edge.http import api
from presage.social.models import Bookmark, ListKept
from presage.social.service import list_bookmarks

handler = api("list_bookmarks", list_bookmarks, ListKept, Bookmark)
