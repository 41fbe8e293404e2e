"""GET /docs: this API to read and to try, in a browser."""

from presage.edge.http import page
from presage.ops.documents import get_docs
from presage.schema import Nothing

handler = page("get_docs", get_docs, Nothing)
