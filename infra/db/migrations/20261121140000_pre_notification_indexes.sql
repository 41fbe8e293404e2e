-- A market's 100,000 followers are told in one statement, so a notification carries no more than it
-- needs: two trees less (of one person's notifications few are unread or not, and what is old stands
-- together in the table), and no foreign key (nobody deletes users, and who is told was just read).
drop index notifications_unread;
drop index notifications_by_age;
create index notifications_by_age on notifications using brin (created_at);
alter table notifications drop constraint notifications_user_id_fkey;
