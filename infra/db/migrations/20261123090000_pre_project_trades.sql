-- Functions whose parameters have changed since: a second one of a name could not be revoked.
drop function if exists public.index_events(
    text[], integer[], text[], uuid[], text[], text, timestamptz);
drop function if exists public.project_events(public.chain_events[], text, timestamptz);
drop function if exists public.begin_indexing(text[], timestamptz, timestamptz);
