-- What was told of a subject: an account that is missing is not told again every ten minutes.
create index discrepancies_of_subject on discrepancies (subject, field, created_at);
