"""GET /openapi.json: this API as an OpenAPI 3.1 document."""

from presage.edge.http import page
from presage.ops.documents import get_openapi
from presage.schema import Nothing

handler = page("get_openapi", get_openapi, Nothing)
