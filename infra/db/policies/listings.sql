-- What a market list sorts by is public; definer functions write it.
revoke all on public.market_listings from presage_api, presage_admin, presage_worker;
grant select on public.market_listings to presage_api, presage_admin, presage_worker;
