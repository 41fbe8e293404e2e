"""POST /notifications/mark-read: mark notifications as read."""

from presage.edge.http import api
from presage.notifications.models import MarkedRead, MarkRead
from presage.notifications.service import mark_read

handler = api("mark_read", mark_read, MarkRead, MarkedRead)
