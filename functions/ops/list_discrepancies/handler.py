"""GET /admin/discrepancies: what the books say against themselves."""

from presage.edge.http import api
from presage.ops.oversight import DiscrepancyView, list_discrepancies
from presage.schema import Nothing

handler = api("list_discrepancies", list_discrepancies, Nothing, DiscrepancyView)
