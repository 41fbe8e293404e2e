-- How much a user has said of a market is counted with every comment (create_comment).
create index comments_by_author on comments (market_id, user_id);
