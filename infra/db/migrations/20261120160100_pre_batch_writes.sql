-- write_orders writes long sweeps as it writes batches.
drop function if exists public.write_many_fills(
    public.fill_draft[], uuid, smallint, uuid, uuid, text, text, integer, integer, timestamptz
);
