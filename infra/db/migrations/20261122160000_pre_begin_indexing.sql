-- begin_indexing takes the time of the blocks too.
drop function if exists public.begin_indexing(text[]);
