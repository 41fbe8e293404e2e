-- Functions whose parameters have changed since.
drop function if exists public.index_events(
    text[], integer[], text[], integer[], text[], uuid[], text[], text, timestamptz);
drop function if exists public.project_events(
    text[], text[], integer[], public.chain_events[], text, timestamptz);
