-- Takes the word of a claimer that tasks are done: also when the lease is over and the task has
-- gone back, been claimed by another or died meanwhile, for done it is.
-- KEYS[1] todo  [2] doing  [3] finish  [4] failed  [5] tasks  [6] runs  [7] died  [8] total
-- KEYS[9] leases
-- ARGV[1] now, ms   ARGV[2] how many finished ids to keep
-- ARGV[3] id   ARGV[4] the attempt, or ''   and so on
-- returns a letter for each: f finished now, a already, s stale, u unknown
local ids = {}
for n = 3, #ARGV, 2 do ids[#ids + 1] = ARGV[n] end
local runs = redis.call('HMGET', KEYS[6], unpack(ids))
local answers, done, gone, scored = {}, {}, {}, {}
for n, id in ipairs(ids) do
  local attempt, born = string.match(runs[n] or '0 0', '^(%d+) (%d+)')
  attempt, born = tonumber(attempt), tonumber(born)
  local told = tonumber(ARGV[2 * n + 2]) or attempt
  if done[id] then
    answers[n] = 'a'
  elseif told > born and told <= attempt then
    answers[n] = 'f'
    done[id] = true
    gone[#gone + 1] = id
    scored[#scored + 1] = ARGV[1]
    scored[#scored + 1] = id
  elseif redis.call('HEXISTS', KEYS[5], id) == 1 then
    answers[n] = 's'
  elseif redis.call('ZSCORE', KEYS[3], id) then
    answers[n] = 'a'
  else
    answers[n] = 'u'
  end
end
if #gone > 0 then
  redis.call('ZREM', KEYS[2], unpack(gone))
  redis.call('ZREM', KEYS[1], unpack(gone))
  redis.call('ZREM', KEYS[4], unpack(gone))
  redis.call('HDEL', KEYS[5], unpack(gone))
  redis.call('HDEL', KEYS[6], unpack(gone))
  redis.call('HDEL', KEYS[9], unpack(gone))
  redis.call('ZADD', KEYS[3], unpack(scored))
  redis.call('HINCRBY', KEYS[8], 'finished', #gone)
end
-- Bounded, for `finish_keep` may have been made smaller.
local excess = math.min(redis.call('ZCARD', KEYS[3]) - ARGV[2], 2 * #ids)
if excess > 0 then redis.call('ZREMRANGEBYRANK', KEYS[3], 0, excess - 1) end
return table.concat(answers)
