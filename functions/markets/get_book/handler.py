"""GET /markets/{market_id}/book: bids and asks of one outcome."""

from presage.edge.http import api
from presage.markets.models import GetBook
from presage.markets.service import get_book
from presage.markets.views import BookView

handler = api("get_book", get_book, GetBook, BookView)
