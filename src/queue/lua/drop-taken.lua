-- Drops what has reached the engine from the front of a private list, once: a client that has lost
-- the answer sends this again, and must not drop what nobody has read yet.
-- KEYS[1] private list   ARGV[1] how many   ARGV[2] the first of them
-- returns 1, or 0 when they are gone already
if redis.call('LINDEX', KEYS[1], 0) ~= ARGV[2] then return 0 end
redis.call('LTRIM', KEYS[1], ARGV[1], -1)
return 1
