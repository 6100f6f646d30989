-- Leases tasks from the front of a pull queue. They leave it before anything is added, which also
-- a Redis without memory to spare allows.
-- KEYS[1] todo  [2] doing  [3] finish  [4] failed  [5] tasks  [6] runs  [7] died  [8] total
-- ARGV[1] now, ms   ARGV[2] when the lease ends, ms   ARGV[3] how many at most
-- ARGV[4] bytes of content after which to stop   ARGV[5] who claims
-- returns id, attempt and content of each, one after the other
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
if seen == 0 then return {} end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, seen - 1)
if #ids == 0 then return {} end
local runs = redis.call('HMGET', KEYS[6], unpack(ids))
local items, leases, begun = {}, {}, {}
for n, id in ipairs(ids) do
  local attempt, before = string.match(runs[n] or '0 0 0', '^(%d+) (%d+ %d+)')
  attempt = tonumber(attempt) + 1
  items[3 * n - 2] = id
  items[3 * n - 1] = tostring(attempt)
  items[3 * n] = contents[n]
  leases[2 * n - 1] = ARGV[2]
  leases[2 * n] = id
  begun[2 * n - 1] = id
  begun[2 * n] = attempt .. ' ' .. before .. ' ' .. ARGV[1] .. ' ' .. ARGV[5]
end
redis.call('ZADD', KEYS[2], unpack(leases))
redis.call('HSET', KEYS[6], unpack(begun))
return items
