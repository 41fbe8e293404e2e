-- Why a trigger: tags cannot enter a generated column (array_to_string is not immutable), and the
-- searchable words must follow every edit.
create or replace function public.keep_search_text() returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
    new.search_text := public.normalise_search(concat_ws(' ', new.question, new.question_bn, new.slug,
        new.category, array_to_string(new.tags, ' ')));
    return new;
end;
$$;
revoke execute on function public.keep_search_text() from public;

create or replace trigger markets_keep_search_text
    before insert or update of question, question_bn, slug, category, tags on public.markets
    for each row execute function public.keep_search_text();
