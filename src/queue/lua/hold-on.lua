-- Makes sure of a task that we hold, after a time in which Redis could not be asked: by then its
-- lock may be gone, and a failover that lost the last writes may have it waiting again.
-- KEYS[1] the task   KEYS[2] its lock   KEYS[3] active   KEYS[4] prioritized   KEYS[5] wait
-- KEYS[6] delayed
-- ARGV[1] the task's id   ARGV[2] our token   ARGV[3] our owner text   ARGV[4] ms that a lock holds
-- ARGV[5] its starts when we took it, ours included   ARGV[6] its verdicts when we took it
-- It removes before it adds: so a Redis whose memory is full carries it out.
-- returns 1 when it is ours, 0 when somebody else has it or had the last word, -1 when we had, or
-- when it is not there any more
local held = redis.call('GET', KEYS[2])
if held and held ~= ARGV[2] then return 0 end
local task = redis.call('HMGET', KEYS[1], 'atm', 'finishedOn', 'pb', 'ats', 'data')
if not task[5] then return -1 end
if task[2] or (tonumber(task[1]) or 0) ~= tonumber(ARGV[6]) then
  return task[3] == ARGV[3] and -1 or 0
end
if redis.call('LPOS', KEYS[3], ARGV[1]) then
  if held then return 1 end
  if task[3] ~= ARGV[3] then return 0 end
elseif
  redis.call('ZREM', KEYS[4], ARGV[1]) == 1
  or redis.call('LREM', KEYS[5], 1, ARGV[1]) == 1
  or redis.call('ZREM', KEYS[6], ARGV[1]) == 1
then
  redis.call('LPUSH', KEYS[3], ARGV[1])
else
  return -1
end
-- Already dirty, or nothing is added but the lock: see above.
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[4])
local starts = math.max(tonumber(task[4]) or 0, tonumber(ARGV[5]))
redis.call('HSET', KEYS[1], 'pb', ARGV[3], 'ats', starts, 'delay', 0)
return 1
