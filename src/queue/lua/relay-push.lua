-- Puts results on somebody else's list and lets go of leased tasks.
-- KEYS[1] leased   KEYS[2] HASH id -> task   KEYS[3] list of results   KEYS[4] mark of this report
-- ARGV[1] ms to keep the mark, 0 for none   ARGV[2] how many ids follow; the rest are results
-- returns one letter for each id, 1 when it was leased, else 0; or `again` for a report that is marked
local keep = tonumber(ARGV[1])
if keep > 0 and redis.call('EXISTS', KEYS[4]) == 1 then return 'again' end
local ids = tonumber(ARGV[2])
-- First what may fail: the list may be no list.
for n = 3 + ids, #ARGV do redis.call('RPUSH', KEYS[3], ARGV[n]) end
local letters = {}
for n = 3, 2 + ids do
  letters[#letters + 1] = redis.call('ZREM', KEYS[1], ARGV[n])
  redis.call('HDEL', KEYS[2], ARGV[n])
end
if keep > 0 then redis.call('SET', KEYS[4], '1', 'PX', keep) end
return table.concat(letters)
