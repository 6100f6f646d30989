-- Moves messages from a plain list to this node's private list and gives each an id, so that
-- a message taken twice (we died in between) is still the same task.
-- KEYS[1] plain list   KEYS[2] private list   KEYS[3] key prefix for oversized messages
-- ARGV[1] how many at most   ARGV[2] bytes a message may have   ARGV[3] prefix of the ids
-- ARGV[4] bytes to take at most, all together
-- What already lies in the private list comes first, and alone: an answer that never arrived had
-- taken it, and whoever drops from the front of that list must have seen the front.
-- returns the items as they now stand in the private list, oldest first:
--   m<id>\n<message>   or   o<id>\n<bytes> for one that was too large and now lies at KEYS[3]<id>
local items = redis.call('LRANGE', KEYS[2], 0, ARGV[1] - 1)
if #items > 0 then return items end
local total = 0
for n = 1, tonumber(ARGV[1]) do
  local message = redis.call('RPOP', KEYS[1])
  if not message then break end
  local id = ARGV[3] .. '-' .. n
  local item
  if #message > tonumber(ARGV[2]) then
    redis.call('LPUSH', KEYS[3] .. id, message)
    item = 'o' .. id .. '\n' .. #message
  else
    item = 'm' .. id .. '\n' .. message
  end
  redis.call('RPUSH', KEYS[2], item)
  items[n] = item
  total = total + #item
  if total > tonumber(ARGV[4]) then break end
end
return items
