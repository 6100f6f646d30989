-- Puts a task that is being worked on back in front of those of its priority, and wakes a worker
-- that waits. The engine's own way back wakes nobody when the task has a priority, as ours have.
-- KEYS[1] the task   KEYS[2] its lock   KEYS[3] active   KEYS[4] stalled   KEYS[5] prioritized
-- KEYS[6] marker
-- ARGV[1] the task's id   ARGV[2] the lock it is given back under   ARGV[3] starts to forget, 0 or 1
-- It removes before it adds: so a Redis whose memory is full carries it out.
-- returns 1, or 0 when somebody else has it or nobody works on it any more
local held = redis.call('GET', KEYS[2])
if held and held ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('SREM', KEYS[4], ARGV[1])
if redis.call('LREM', KEYS[3], 1, ARGV[1]) == 0 then return 0 end
if ARGV[3] == '1' then redis.call('HINCRBY', KEYS[1], 'ats', -1) end
-- The engine counts on from priority * 2^32, so this is before all that wait.
local priority = tonumber(redis.call('HGET', KEYS[1], 'priority')) or 0
redis.call('ZADD', KEYS[5], priority * 0x100000000, ARGV[1])
redis.call('ZADD', KEYS[6], 0, '0')
return 1
