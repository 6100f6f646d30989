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
-- The engine scores what waits with priority * 2^32 + n, n from 1. So what was given back stands below
-- 1, each before the one given back before it: 65,536 steps, all exact in a double.
local floor = (tonumber(redis.call('HGET', KEYS[1], 'priority')) or 0) * 0x100000000
local first = redis.call('ZRANGEBYSCORE', KEYS[5], floor, '(' .. string.format('%.0f', floor + 1), 'WITHSCORES', 'LIMIT', 0, 1)
local before = (tonumber(first[2]) or floor + 1) - 1 / 0x10000
redis.call('ZADD', KEYS[5], string.format('%.17g', math.max(floor, before)), ARGV[1])
redis.call('ZADD', KEYS[6], 0, '0')
return 1
