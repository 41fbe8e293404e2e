-- Why: markets are found by the words people type, in English and Bengali, without an extension.
-- Punctuation becomes space by name, not by class: classes call Bengali vowel signs punctuation.
create or replace function public.normalise_search(p_text text) returns text
language sql immutable parallel safe set search_path = ''
as $$
    select btrim(regexp_replace(
        lower(normalize(coalesce(p_text, ''), NFC)),
        '[][\s!"#$%&''()*+,./:;<=>?@\\^_`{|}~।॥“”‘’–—-]+', ' ', 'g'
    ))
$$;
revoke execute on function public.normalise_search(text) from public;
grant execute on function public.normalise_search(text) to presage_api, presage_admin, presage_worker;
