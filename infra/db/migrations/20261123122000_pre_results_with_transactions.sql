-- Its parameters have changed since: a second one of a name could not be revoked.
drop function if exists public.record_tally(
    uuid, text, bigint, numeric, numeric, bigint, text, text, text, text, timestamptz);
