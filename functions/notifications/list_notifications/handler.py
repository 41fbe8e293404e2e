"""GET /notifications: the caller's notifications, newest first."""

from presage.edge.http import api
from presage.notifications.models import ListNotifications, NotificationView
from presage.notifications.service import list_notifications

handler = api("list_notifications", list_notifications, ListNotifications, NotificationView)
