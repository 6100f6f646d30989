-- Moves a job's cursor forward, never back, and remembers the newest task it made. Whichever
-- node comes first wins; the others find the tick done. When the cursor was set by hand meanwhile
-- (a new era), the tick belongs to what is over and changes nothing.
-- KEYS[1] Task:Cron:<job>
-- ARGV[1] tick, ms   ARGV[2] id of the task it made, or '' when the tick was skipped
-- ARGV[3] the era that the tick was worked out in
-- returns 1 when this call moved the cursor, else 0
local state = redis.call('HMGET', KEYS[1], 'cursor', 'era', 'last_at', 'last_era')
local era = state[2] or '0'
if era ~= ARGV[3] then return 0 end
local tick = tonumber(ARGV[1])
local cursor = tonumber(state[1] or '')
local moved = 0
if not cursor or tick > cursor then
  redis.call('HSET', KEYS[1], 'cursor', ARGV[1])
  moved = 1
end
if ARGV[2] ~= '' then
  local last = tonumber(state[3] or '')
  -- After the cursor was set back the newest task is one of an old tick.
  if not last or tick > last or (state[4] or '0') ~= era then
    redis.call('HSET', KEYS[1], 'last_at', ARGV[1], 'last_id', ARGV[2], 'last_era', era)
  end
end
return moved
