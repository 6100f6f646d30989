-- Forgets those of these tasks that ended too long ago. The engine does so only when another one
-- ends; until then their ids and answers would be known.
-- KEYS[1] completed   KEYS[2] failed   KEYS[3…] the tasks
-- ARGV[1] they ended at this time or before, wall time in ms   ARGV[2…] their ids, as the KEYS
-- It only removes: so a Redis whose memory is full carries it out.
-- returns how many it has forgotten
local forgotten = 0
for at = 3, #KEYS do
  local id = ARGV[at - 1]
  for ended = 1, 2 do
    local score = redis.call('ZSCORE', KEYS[ended], id)
    if score and tonumber(score) <= tonumber(ARGV[1]) then
      redis.call('ZREM', KEYS[ended], id)
      redis.call('DEL', KEYS[at])
      forgotten = forgotten + 1
    end
  end
end
return forgotten
