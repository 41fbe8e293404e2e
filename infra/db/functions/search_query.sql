-- Why: the tsquery is built from quoted words, not by a parser, to match search_tokens exactly.
-- Every word is a prefix; no word at all is null, which matches nothing.
create or replace function public.search_query(p_text text) returns tsquery
language sql immutable parallel safe set search_path = ''
as $$
    select string_agg(quote_literal(v.word) || ':*', ' & ')::tsquery
    from unnest(string_to_array(public.normalise_search(p_text), ' ')) as v (word)
    where v.word <> ''
$$;
revoke execute on function public.search_query(text) from public;
grant execute on function public.search_query(text) to presage_api, presage_admin, presage_worker;
