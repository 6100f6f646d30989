-- Moves a job's cursor forward, never back, and remembers the newest task it made. Whichever
-- node comes first wins; the others find the tick done.
-- KEYS[1] Task:Cron:<job>
-- ARGV[1] tick, ms   ARGV[2] id of the task it made, or '' when the tick was skipped
-- returns 1 when this call moved the cursor, else 0
local tick = tonumber(ARGV[1])
local cursor = tonumber(redis.call('HGET', KEYS[1], 'cursor') or '')
local moved = 0
if not cursor or tick > cursor then
  redis.call('HSET', KEYS[1], 'cursor', ARGV[1])
  moved = 1
end
if ARGV[2] ~= '' then
  local last = tonumber(redis.call('HGET', KEYS[1], 'last_at') or '')
  if not last or tick > last then
    redis.call('HSET', KEYS[1], 'last_at', ARGV[1], 'last_id', ARGV[2])
  end
end
return moved
