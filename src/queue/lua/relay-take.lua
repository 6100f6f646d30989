-- Leases tasks of somebody else's list. What was leased for too long goes back first, to the end
-- that is taken from, the oldest foremost.
-- KEYS[1] list   KEYS[2] leased: ZSET of ids by the ms when the lease ends   KEYS[3] HASH id -> task
-- ARGV[1] now, ms   ARGV[2] lease, ms   ARGV[3] how many at most; 0 only gives back
-- ARGV[4] bytes to take, not much more   ARGV[5] prefix of the ids   ARGV[6] left or right
-- returns id, task, id, task, …
local left = ARGV[6] == 'left'
local over = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, 1000)
for n = #over, 1, -1 do
  local task = redis.call('HGET', KEYS[3], over[n])
  if task then redis.call(left and 'LPUSH' or 'RPUSH', KEYS[1], task) end
  redis.call('HDEL', KEYS[3], over[n])
  redis.call('ZREM', KEYS[2], over[n])
end
local taken = {}
local bytes = 0
for n = 1, tonumber(ARGV[3]) do
  local task = redis.call(left and 'LPOP' or 'RPOP', KEYS[1])
  if not task then break end
  local id = ARGV[5] .. '-' .. n
  redis.call('HSET', KEYS[3], id, task)
  redis.call('ZADD', KEYS[2], ARGV[1] + ARGV[2], id)
  taken[#taken + 1] = id
  taken[#taken + 1] = task
  bytes = bytes + #task
  if bytes > tonumber(ARGV[4]) then break end
end
return taken
