-- Ends claims without success. A failed task goes to the back, unless its tries are used up: then it
-- is dead. One whose lease is over, or that is given back, goes to the front, and its attempt is
-- forgiven: nobody said that it failed. Only where there is a limit for it, a task is dead after so
-- many leases that were over.
-- KEYS[1] todo  [2] doing  [3] finish  [4] failed  [5] tasks  [6] runs  [7] died  [8] total
-- KEYS[9] leases
-- ARGV[1] now, ms   ARGV[2] failed, lease or returned   ARGV[3] tries a task has
-- ARGV[4] how many dead to keep   ARGV[5] bytes of dead content after which to stop
-- ARGV[6] how many leases may be over before a task is dead; 0 for any number
-- ARGV[7] id   ARGV[8] the attempt, or ''   ARGV[9] why, for people   and so on
-- returns a letter for each, or for the first ones: b back in todo, d dead, a already, s stale,
--   u unknown
-- Adds to died: id attempt content why worker msg claimed_at died_at leases
local now, why = ARGV[1], ARGV[2]
local answers, back, bytes = {}, {}, 0

local function bury(id, attempt, claimed, worker, msg, leases)
  local content = redis.call('HGET', KEYS[5], id) or ''
  bytes = bytes + #content
  redis.call('XADD', KEYS[7], '*', 'id', id, 'attempt', attempt, 'content', content, 'why', why,
    'worker', worker, 'msg', msg, 'claimed_at', claimed, 'died_at', now, 'leases', leases)
  redis.call('ZADD', KEYS[4], now, id)
  redis.call('HINCRBY', KEYS[8], 'dead', 1)
end

local function finish(id, told, msg)
  local run = redis.call('HGET', KEYS[6], id) or '0 0 0 0 '
  local attempt, born, forgiven, claimed, worker =
    string.match(run, '^(%d+) (%d+) (%d+) (%d+) (.*)$')
  local lease = redis.call('ZSCORE', KEYS[2], id)
  if not lease then
    -- In todo or dead after a claim: that claim was counted. Never claimed: not this life's.
    if redis.call('HEXISTS', KEYS[5], id) == 1 then return attempt ~= born and 'a' or 's' end
    return redis.call('ZSCORE', KEYS[3], id) and 'a' or 'u'
  end
  if told ~= '' and told ~= attempt then return 's' end
  if why == 'lease' and tonumber(lease) > tonumber(now) then return 's' end
  -- What leaves comes first: a Redis without memory to spare allows what follows, then.
  redis.call('ZREM', KEYS[2], id)
  local most, leases = tonumber(ARGV[6]), 0
  if why == 'lease' then leases = redis.call('HINCRBY', KEYS[9], id, 1) end
  local dead = most > 0 and leases >= most
  if why == 'failed' then dead = attempt - forgiven >= tonumber(ARGV[3]) end
  if dead then
    bury(id, attempt, claimed, worker, msg, leases)
    return 'd'
  end
  if why ~= 'failed' then
    run = { attempt, born, forgiven + 1, claimed, worker }
    redis.call('HSET', KEYS[6], id, table.concat(run, ' '))
  end
  back[#back + 1] = id
  return 'b'
end

for n = 7, #ARGV, 3 do
  answers[#answers + 1] = finish(ARGV[n], ARGV[n + 1], ARGV[n + 2])
  if bytes >= tonumber(ARGV[5]) then break end
end

if #back > 0 then
  local place
  if why == 'failed' then
    local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
    place = math.max(now * 1000, tonumber(last or 0) + 1)
  else
    local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
    place = math.min(-now * 1000, tonumber(first or 0)) - #back
  end
  local placed = {}
  for n, id in ipairs(back) do
    placed[2 * n - 1] = place + n - 1
    placed[2 * n] = id
  end
  redis.call('ZADD', KEYS[1], unpack(placed))
end

local excess = math.min(redis.call('ZCARD', KEYS[4]) - ARGV[4], 2 * #answers)
if excess > 0 then
  local gone = redis.call('ZRANGE', KEYS[4], 0, excess - 1)
  redis.call('ZREM', KEYS[4], unpack(gone))
  redis.call('HDEL', KEYS[5], unpack(gone))
  redis.call('HDEL', KEYS[6], unpack(gone))
  redis.call('HDEL', KEYS[9], unpack(gone))
end
return table.concat(answers)
