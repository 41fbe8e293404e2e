"""POST /workflows/rotate-credentials: put stored credentials under the present key."""

from presage.edge.workflow import workflow
from presage.identity.rotation import rotate_credentials

handler = workflow("rotate_credentials", rotate_credentials)
