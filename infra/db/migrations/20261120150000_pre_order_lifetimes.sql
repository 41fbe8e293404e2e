-- Orders that end by themselves (GTD) and orders whose size was lowered.

-- Gone for their new arguments; functions/ makes them again in the same run (in a new database it
-- has not made them yet).
drop function if exists public.place_order(
    uuid, smallint, text, text, text, integer, bigint, bigint, boolean, text, text, bytea, uuid,
    timestamptz
);
drop function if exists public.misfit_of_order(
    text, text, text, integer, bigint, bigint, boolean, text, text, integer, bigint, integer
);

-- The size first asked for, kept once it was lowered: null means never. What the owner was first
-- answered is rebuilt from it.
alter table public.orders add column placed_size_lots bigint;

create index orders_by_expiry on public.orders (expires_at) where is_open and expires_at is not null;
