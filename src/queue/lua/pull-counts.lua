-- How a pull queue stands, all at one instant.
-- KEYS[1] todo  [2] doing  [3] finish  [4] failed  [5] tasks  [6] runs  [7] died  [8] total
-- KEYS[9] leases
-- returns todo, doing, finish, failed, when the longest waiting came (ms, -1 for none), and how
--   many ever finished and died
local oldest = -1
-- The first of those at the back, and the last of those in front.
local back = redis.call('ZRANGEBYSCORE', KEYS[1], 0, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
local front = redis.call('ZREVRANGEBYSCORE', KEYS[1], '(0', '-inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
if back or front then
  local micros = math.min(tonumber(back or '') or math.huge, -(tonumber(front or '') or -math.huge))
  oldest = math.floor(micros / 1000)
end
local total = redis.call('HMGET', KEYS[8], 'finished', 'dead')
return {
  redis.call('ZCARD', KEYS[1]),
  redis.call('ZCARD', KEYS[2]),
  redis.call('ZCARD', KEYS[3]),
  redis.call('ZCARD', KEYS[4]),
  oldest,
  tonumber(total[1] or 0),
  tonumber(total[2] or 0),
}
