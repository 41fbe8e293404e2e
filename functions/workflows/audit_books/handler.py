"""POST /workflows/audit-books: check every invariant of the money."""

from presage.edge.workflow import workflow
from presage.ops.oversight import audit_books

handler = workflow("audit_books", audit_books)
