-- The four roles. They belong to the cluster, not to one database, so the runner applies this file
-- before every migration instead of recording it as one. Passwords are the operator's business.
do $$
declare
    v_role text;
begin
    foreach v_role in array
        array['presage_owner', 'presage_api', 'presage_admin', 'presage_worker']
    loop
        begin
            execute format(
                'create role %I %s', v_role,
                case when v_role = 'presage_owner' then 'nologin' else 'login' end
            );
        exception when duplicate_object or unique_violation then
            null;  -- made by an earlier run, or by a neighbour at this very moment
        end;
    end loop;
    -- A managed database's first user is no superuser: it must be a member to act as the owner.
    if not pg_has_role(current_user, 'presage_owner', 'MEMBER') then
        execute format('grant presage_owner to %I', current_user);
    end if;
    execute format('grant create, connect on database %I to presage_owner', current_database());
    execute format(
        'grant connect on database %I to presage_api, presage_admin, presage_worker',
        current_database()
    );
end;
$$;

grant usage, create on schema public to presage_owner;
grant usage on schema public to presage_api, presage_admin, presage_worker;
-- Nothing that the owner makes may be called by everybody.
alter default privileges for role presage_owner revoke execute on functions from public;
