-- Turns what a caller names (market id or slug; outcome label, number, or YES/NO of a binary
-- market; position) into the book it means, so that a read or an order stays one statement.
-- Definer: it reads public facts only, for callers of every role.
create or replace function public.find_outcome(p_market text, p_outcome text, p_position text)
returns table (market_id uuid, outcome smallint, "position" text, label text)
language plpgsql stable security definer rows 1 set search_path = ''
as $$
declare
    v_market_id uuid;
    v_type      text;
    v_outcome   text := coalesce(p_outcome, '0');
    v_position  text := p_position;
begin
    select m.id, m.market_type into v_market_id, v_type
    from public.markets m
    where case
        when p_market ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
        then m.id = p_market::uuid
        else m.slug = p_market
    end;
    if not found then
        raise exception 'There is no such market.' using errcode = 'PR404', column = 'market_id';
    end if;

    if p_outcome is null and v_type <> 'binary' then
        raise exception 'The market has several outcomes: name one.'
            using errcode = 'PR400', column = 'outcome';
    end if;
    if v_type = 'binary' and v_outcome in ('YES', 'NO') then
        if v_outcome = 'NO' and p_position = 'YES' then
            raise exception 'outcome NO and position YES contradict each other.'
                using errcode = 'PR400', column = 'position';
        end if;
        v_position := case when v_outcome = 'NO' then 'NO' else p_position end;
        v_outcome := '0';
    end if;

    return query
    select v_market_id, o.outcome, coalesce(v_position, 'YES'), o.label
    from public.outcomes o
    where o.market_id = v_market_id
      and (o.label = v_outcome or o.outcome::text = v_outcome)
    order by (o.label = v_outcome) desc
    limit 1;
    if not found then
        raise exception 'The market has no such outcome.'
            using errcode = 'PR400', column = 'outcome';
    end if;
end;
$$;
revoke all on function public.find_outcome from public;
grant execute on function public.find_outcome to presage_api, presage_admin, presage_worker;
