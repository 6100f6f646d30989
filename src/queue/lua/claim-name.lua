-- Takes a node name for a while, or renews it.
-- KEYS[1] the name
-- ARGV[1] whose it is to be   ARGV[2] ms
-- It removes before it adds: so a Redis whose memory is full carries it out.
-- returns 1, or 0 when it is somebody else's
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
