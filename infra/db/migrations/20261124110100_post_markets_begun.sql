-- markets_not_begun serves what it served.
drop index markets_begun;
