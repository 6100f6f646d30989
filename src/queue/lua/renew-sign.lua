-- Renews the sign of life of a node, and reads those of all.
-- KEYS[1] the signs
-- ARGV[1] this node's field   ARGV[2] its new sign
-- It removes before it adds: so a Redis whose memory is full carries it out.
-- returns field, sign, field, sign … as they were before; without ARGV[1] when that was not there
local before = redis.call('HGETALL', KEYS[1])
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return before
