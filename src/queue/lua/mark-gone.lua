-- Says of a node that it is gone, unless it has given a sign since it was judged.
-- KEYS[1] the signs
-- ARGV[1] the node's field   ARGV[2] its last sign   ARGV[3] what stands there from now on
-- returns 1, or 0 when there is a newer sign
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
