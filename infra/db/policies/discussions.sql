-- Comments are read and written through definer functions, which hide what was deleted; workflows
-- read them for the snapshots. Anchors are public, as what they name is.
revoke all on public.comments, public.comment_likes, public.ipfs_anchors
    from presage_api, presage_admin, presage_worker;
grant select on public.comments to presage_worker;
grant select on public.ipfs_anchors to presage_api, presage_admin, presage_worker;
grant insert, delete, update (pinned_at) on public.ipfs_anchors to presage_worker;

alter table public.comments enable row level security;
drop policy if exists comments_are_open_to_workflows on public.comments;
create policy comments_are_open_to_workflows on public.comments to presage_worker using (true);

alter table public.comment_likes enable row level security;
