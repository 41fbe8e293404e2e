"""Orders: placing, reading and cancelling. Matching itself is one plpgsql call, `place_order`."""
