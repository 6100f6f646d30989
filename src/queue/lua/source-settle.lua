-- Forgets verdicts that stand in their table by now, and lets go of their rows. A verdict that has
-- come since, or a claim that is another one, stays.
-- KEYS[1] claims: HASH row -> claim   KEYS[2] verdicts: HASH row -> JSON text
-- ARGV triples: row, claim, the verdict's text as it was read
-- returns how many verdicts were forgotten
local settled = 0
for i = 1, #ARGV, 3 do
  local row, claim, text = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('HGET', KEYS[2], row) == text then
    redis.call('HDEL', KEYS[2], row)
    settled = settled + 1
    if redis.call('HGET', KEYS[1], row) == claim then redis.call('HDEL', KEYS[1], row) end
  end
end
return settled
