-- The clock was set back: ticks up to the cursor come again, from an instant on. Of several nodes
-- that notice it one begins the pass, and the others join it.
-- KEYS[1] Task:Cron:<job>
-- ARGV[1] the instant, ms   ARGV[2] the pass that was seen before   ARGV[3] the era
-- ARGV[4] the schedule   ARGV[5] up to where ticks come again, ms
-- ARGV[6] where the steps of an interval are counted from, ms, or ''
-- returns 1 when this call began it, else 0
local key = KEYS[1]
local state = redis.call('HMGET', key, 'pass', 'era')
if (state[1] or '0') ~= ARGV[2] or (state[2] or '0') ~= ARGV[3] then return 0 end
redis.call('HSET', key, 'again', ARGV[1], 'cursor', ARGV[5], 'spec', ARGV[4])
redis.call('HINCRBY', key, 'pass', 1)
if ARGV[6] ~= '' then redis.call('HSET', key, 'anchor', ARGV[6]) end
return 1
