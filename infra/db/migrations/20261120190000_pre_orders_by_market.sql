-- One index less on orders: it cost every order 130 bytes of WAL and more, which took an order over
-- its budget, and served only a filter by market of one user's whole history.
drop index orders_by_user_and_market;
