-- Leases tasks from the front of a pull queue. They leave it before anything is added, which also
-- a Redis without memory to spare allows. A claim that has a name leaves a list of what it got; who
-- comes with that name again, because no answer came, gets those first, leased anew.
-- KEYS[1] todo  [2] doing  [3] finish  [4] failed  [5] tasks  [6] runs  [7] died  [8] total
-- KEYS[9] leases
-- KEYS[10] the list of a claim that has a name: `attempt claimed_at id` of each
-- ARGV[1] now, ms   ARGV[2] when the lease ends, ms   ARGV[3] how many at most that are new
-- ARGV[4] bytes of content after which to stop   ARGV[5] who claims
-- ARGV[6] how long the list is kept, ms; 0 for a claim without a name
-- ARGV[7] how much of the list the caller has had
-- returns how much of the list he has had now, how long it is, and id, attempt and content of each
local had, kept = tonumber(ARGV[7]), tonumber(ARGV[6])

local function again(entries)
  local items, leases, bytes, seen = { 0, 0 }, {}, 0, 0
  for _, entry in ipairs(entries) do
    local attempt, at, id = string.match(entry, '^(%d+) (%d+) (.*)$')
    seen = seen + 1
    -- What was reported since, or given back by its lease, is not of this claim any more.
    local run = redis.call('HGET', KEYS[6], id) or ''
    local current, since, worker = string.match(run, '^(%d+) %d+ %d+ (%d+) (.*)$')
    local ours = current == attempt and since == at and worker == ARGV[5]
    if ours and redis.call('ZSCORE', KEYS[2], id) then
      local content = redis.call('HGET', KEYS[5], id)
      items[#items + 1] = id
      items[#items + 1] = attempt
      items[#items + 1] = content
      leases[#leases + 1] = ARGV[2]
      leases[#leases + 1] = id
      bytes = bytes + #content
      if bytes >= tonumber(ARGV[4]) then break end
    end
  end
  if #leases > 0 then
    redis.call('ZREM', KEYS[2], '')
    redis.call('ZADD', KEYS[2], unpack(leases))
  end
  items[1] = had + seen
  items[2] = redis.call('LLEN', KEYS[10])
  return items
end

if kept > 0 then
  local entries = redis.call('LRANGE', KEYS[10], had, had + 499)
  if #entries > 0 then return again(entries) end
end
if tonumber(ARGV[3]) == 0 then return { had, had } end

local ids, contents, bytes, seen = {}, {}, 0, 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, ARGV[3] - 1)) do
  local content = redis.call('HGET', KEYS[5], id)
  seen = seen + 1
  if content then
    ids[#ids + 1] = id
    contents[#ids] = content
    bytes = bytes + #content
    if bytes >= tonumber(ARGV[4]) then break end
  end
end
if seen > 0 then redis.call('ZREMRANGEBYRANK', KEYS[1], 0, seen - 1) end
if #ids == 0 then return { had, had } end
local runs = redis.call('HMGET', KEYS[6], unpack(ids))
local items, leases, begun, list = { had, had }, {}, {}, {}
for n, id in ipairs(ids) do
  local attempt, before = string.match(runs[n] or '0 0 0', '^(%d+) (%d+ %d+)')
  attempt = tonumber(attempt) + 1
  items[3 * n] = id
  items[3 * n + 1] = tostring(attempt)
  items[3 * n + 2] = contents[n]
  leases[2 * n - 1] = ARGV[2]
  leases[2 * n] = id
  begun[2 * n - 1] = id
  begun[2 * n] = attempt .. ' ' .. before .. ' ' .. ARGV[1] .. ' ' .. ARGV[5]
  list[n] = attempt .. ' ' .. ARGV[1] .. ' ' .. id
end
redis.call('ZADD', KEYS[2], unpack(leases))
redis.call('HSET', KEYS[6], unpack(begun))
if kept > 0 then
  items[1] = redis.call('RPUSH', KEYS[10], unpack(list))
  items[2] = items[1]
  redis.call('PEXPIRE', KEYS[10], kept)
end
return items
