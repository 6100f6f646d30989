-- Drops what has reached the engine from the front of a private list, once: a client that has lost
-- the answer sends this again, and must not drop what nobody has read yet. What found no room goes
-- back to the end of the plain list, behind those that may.
-- KEYS[1] private list   KEYS[2] plain list
-- ARGV[1] how many   ARGV[2] the first of them   ARGV[3…] the messages that go back
-- It removes before it adds: so a Redis whose memory is full carries it out.
-- returns 1, or 0 when they are gone already
if redis.call('LINDEX', KEYS[1], 0) ~= ARGV[2] then return 0 end
redis.call('LTRIM', KEYS[1], ARGV[1], -1)
for n = 3, #ARGV do redis.call('LPUSH', KEYS[2], ARGV[n]) end
return 1
