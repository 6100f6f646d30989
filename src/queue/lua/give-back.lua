-- Puts a task that is being worked on back in front of those of its priority, and wakes a worker
-- that waits; or, with a time, among those that wait for theirs. The engine's own way back to the
-- front wakes nobody when the task has a priority, as ours have; and its way to the delayed ones
-- counts the start.
-- KEYS[1] the task   KEYS[2] its lock   KEYS[3] active   KEYS[4] stalled   KEYS[5] prioritized
-- KEYS[6] delayed   KEYS[7] marker
-- ARGV[1] the task's id   ARGV[2] the lock it is given back under   ARGV[3] starts to forget, 0 or 1
-- ARGV[4] the wait, ms; 0 for none   ARGV[5] wall time, ms
-- It removes before it adds: so a Redis whose memory is full carries it out.
-- returns 1, or 0 when somebody else has it or nobody works on it any more
local held = redis.call('GET', KEYS[2])
if held and held ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('SREM', KEYS[4], ARGV[1])
if redis.call('LREM', KEYS[3], 1, ARGV[1]) == 0 then return 0 end
if ARGV[3] == '1' then redis.call('HINCRBY', KEYS[1], 'ats', -1) end
local wait = tonumber(ARGV[4])
if wait > 0 then
  -- The engine scores what is delayed with ms * 4096 + n, and the marker `1` with the first such ms.
  local score = (tonumber(ARGV[5]) + wait) * 0x1000
  local last = redis.call('ZREVRANGEBYSCORE', KEYS[6], string.format('%.0f', score + 0xfff), string.format('%.0f', score), 'WITHSCORES', 'LIMIT', 0, 1)
  if last[2] then score = math.min(tonumber(last[2]) + 1, score + 0xfff) end
  redis.call('HSET', KEYS[1], 'delay', wait)
  redis.call('ZADD', KEYS[6], string.format('%.0f', score), ARGV[1])
  local first = redis.call('ZRANGE', KEYS[6], 0, 0, 'WITHSCORES')
  redis.call('ZADD', KEYS[7], string.format('%.17g', tonumber(first[2]) / 0x1000), '1')
  return 1
end
-- The engine scores what waits with priority * 2^32 + n, n from 1. So what was given back stands below
-- 1, each before the one given back before it: 65,536 steps, all exact in a double.
local floor = (tonumber(redis.call('HGET', KEYS[1], 'priority')) or 0) * 0x100000000
local first = redis.call('ZRANGEBYSCORE', KEYS[5], floor, '(' .. string.format('%.0f', floor + 1), 'WITHSCORES', 'LIMIT', 0, 1)
local before = (tonumber(first[2]) or floor + 1) - 1 / 0x10000
redis.call('ZADD', KEYS[5], string.format('%.17g', math.max(floor, before)), ARGV[1])
redis.call('ZADD', KEYS[7], 0, '0')
return 1
