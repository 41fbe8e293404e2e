-- What no code that is deployed calls any more.
drop function if exists public.index_events(
    timestamptz[], text[], integer[], text[], uuid[], text[], text, timestamptz);
drop function if exists public.project_events(
    text[], timestamptz[], text[], integer[], public.chain_events[], text, timestamptz);
