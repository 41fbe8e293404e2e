-- Why: one refused order of a batch, under its index (from zero), as it is kept and answered.
create or replace function public.batch_refusal(
    p_place integer, p_code text, p_message text, p_field text
) returns jsonb
language sql immutable set search_path = ''
as $$
    select jsonb_build_object((p_place - 1)::text, jsonb_build_object(
        'index', p_place - 1, 'status', 'rejected', 'code', p_code, 'message', p_message,
        'field', nullif(p_field, '')))
$$;
revoke execute on function public.batch_refusal(integer, text, text, text) from public;
