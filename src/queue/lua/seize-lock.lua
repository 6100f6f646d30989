-- Makes the lock of a dead owner ours, unless somebody else has taken the task meanwhile.
-- KEYS[1] the task's lock
-- ARGV[1] the dead owner's token ('' when the lock had expired)   ARGV[2] our token   ARGV[3] ms
-- returns 1, or 0 when another owner holds it
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
