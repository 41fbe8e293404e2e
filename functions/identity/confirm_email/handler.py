"""GET /settings/email/confirm: confirm an email by the link that was mailed to it."""

from presage.edge.http import api
from presage.identity.profile import confirm_email
from presage.identity.profile_models import ConfirmEmail, EmailConfirmed

handler = api("confirm_email", confirm_email, ConfirmEmail, EmailConfirmed)
