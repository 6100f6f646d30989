-- Puts a task that has failed back on its queue, behind what waits, with all its tries. The engine
-- takes two commands for it; a KILL between them would count its earlier attempts twice.
-- KEYS[1] the task   KEYS[2] failed   KEYS[3] prioritized   KEYS[4] the counter of those that wait
-- KEYS[5] marker
-- ARGV[1] the task's id   ARGV[2] its data, which say how many attempts it has had
-- It removes before it adds: so a Redis whose memory is full carries it out.
-- returns 1, or 0 when it is not among the failed ones any more
if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call('HDEL', KEYS[1], 'finishedOn', 'processedOn', 'failedReason', 'atm', 'ats')
redis.call('HSET', KEYS[1], 'data', ARGV[2])
local priority = tonumber(redis.call('HGET', KEYS[1], 'priority')) or 0
local n = redis.call('INCR', KEYS[4]) % 0x100000000
redis.call('ZADD', KEYS[3], string.format('%.0f', priority * 0x100000000 + n), ARGV[1])
redis.call('ZADD', KEYS[5], 0, '0')
return 1
