-- What a job learns when one of its tasks has its final verdict. The verdict stands beside the task
-- it belongs to, and beside no other.
-- KEYS[1] Task:Cron:<job>
-- ARGV[1] id of the task   ARGV[2] code   ARGV[3] when, ms
-- ARGV[4] how it counts: succ ends the failures in a row, fail is one more, '' is neither
-- It begins with a write that adds nothing: so a Redis whose memory is full carries it out.
local key = KEYS[1]
redis.call('PERSIST', key)
redis.call('HSET', key, 'end_id', ARGV[1], 'end_code', ARGV[2])
local newest = redis.call('HMGET', key, 'last_id', 'run_id')
if newest[1] == ARGV[1] then redis.call('HSET', key, 'last_code', ARGV[2]) end
if newest[2] == ARGV[1] then redis.call('HSET', key, 'run_code', ARGV[2]) end
if ARGV[4] == '' then return end
redis.call('HSET', key, 'last_end', ARGV[3], 'last_outcome', ARGV[4])
if ARGV[4] == 'succ' then redis.call('HSET', key, 'failures', '0')
else redis.call('HINCRBY', key, 'failures', 1) end
