-- Adds tasks to a pull queue, at the back or in front. What waits or runs already stays as it is;
-- in front, it moves there when it waits. A finished or dead id begins a new life.
-- KEYS[1] todo  [2] doing  [3] finish  [4] failed  [5] tasks  [6] runs  [7] died  [8] total
-- KEYS[9] leases
-- ARGV[1] now, ms   ARGV[2] capacity
-- ARGV[3] '' for the back; for the front, how many tasks of the batch come from here on
-- ARGV[4] the place in front that an earlier part of the batch was told, or ''
-- ARGV[5] 1 for what lies in this Redis already, in a plain list: it is taken also without memory
--   to spare; else 0
-- ARGV[6] id   ARGV[7] content   and so on
-- returns a letter for each task (a accepted, d duplicate, p a duplicate that was moved to the
--   front, f full), how many more fit, and the place for the next part of the batch
-- After a first write that removes, Redis refuses nothing for its memory.
if ARGV[5] == '1' then redis.call('ZREM', KEYS[1], '') end
local capacity = tonumber(ARGV[2])
local micros = tonumber(ARGV[1]) * 1000
local front = ARGV[3] ~= ''
local place = tonumber(ARGV[4])
if front and not place then
  -- Room for the whole batch, in its order, before all that waits.
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
  place = math.min(-micros, tonumber(first or 0)) - tonumber(ARGV[3])
elseif not front then
  local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
  place = math.max(micros, tonumber(last or 0) + 1)
end
local room = capacity - redis.call('ZCARD', KEYS[1])
local answers, placed, added, seen = {}, {}, {}, {}
for n = 6, #ARGV, 2 do
  local id = ARGV[n]
  local answer
  if room > 0 and redis.call('HSETNX', KEYS[5], id, ARGV[n + 1]) == 1 then
    answer = 'a'
  elseif redis.call('HEXISTS', KEYS[5], id) == 0 then
    answer = 'f'
  elseif redis.call('ZSCORE', KEYS[4], id) then
    answer = 'f'
    if room > 0 then
      redis.call('ZREM', KEYS[4], id)
      redis.call('HSET', KEYS[5], id, ARGV[n + 1])
      -- Attempts count on: this life is born here, and all up to here are forgiven.
      local attempt = string.match(redis.call('HGET', KEYS[6], id) or '0', '^%d+')
      redis.call('HSET', KEYS[6], id, attempt .. ' ' .. attempt .. ' ' .. attempt .. ' 0 ')
      redis.call('HDEL', KEYS[9], id)
      answer = 'a'
    end
  else
    answer = 'd'
    if front and not seen[id] and redis.call('ZSCORE', KEYS[1], id) then answer = 'p' end
  end
  if answer == 'a' then
    room = room - 1
    added[#added + 1] = id
  end
  if answer == 'a' or answer == 'p' then
    placed[#placed + 1] = place
    placed[#placed + 1] = id
    place = place + 1
  end
  seen[id] = true
  answers[#answers + 1] = answer
end
if #added > 0 then redis.call('ZREM', KEYS[3], unpack(added)) end
if #placed > 0 then redis.call('ZADD', KEYS[1], unpack(placed)) end
return { table.concat(answers), math.max(0, room), string.format('%.0f', place) }
