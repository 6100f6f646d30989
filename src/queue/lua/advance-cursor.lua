-- Moves a job's cursor forward, never back, and remembers the newest task it made. Whichever
-- node comes first wins; the others find the tick done. When the cursor was set by hand meanwhile
-- (a new era), the tick belongs to what is over and changes nothing. A tick that comes again, since
-- the clock was set back, moves the pass and not the cursor; one beyond the cursor ends the pass.
-- KEYS[1] Task:Cron:<job>
-- ARGV[1] tick, ms   ARGV[2] id of the task it made, or '' when the tick was skipped
-- ARGV[3] the era that the tick was worked out in
-- ARGV[4] the pass that it comes again in, or 0
-- returns 1 when this call moved the cursor or the pass, else 0
local key = KEYS[1]
local state = redis.call('HMGET', key, 'cursor', 'era', 'again', 'pass',
  'last_id', 'last_at', 'last_era')
if (state[2] or '0') ~= ARGV[3] then return 0 end
local tick, comesAgain = tonumber(ARGV[1]), ARGV[4] ~= '0'
if comesAgain and (not state[3] or state[4] ~= ARGV[4]) then return 0 end
local reached = tonumber((comesAgain and state[3] or state[1]) or '')
local moved = 0
if not reached or tick > reached then
  redis.call('HSET', key, comesAgain and 'again' or 'cursor', ARGV[1])
  if not comesAgain then redis.call('HDEL', key, 'again') end
  moved = 1
end
if ARGV[2] ~= '' and ARGV[2] ~= state[5] then
  local last = tonumber(state[6] or '')
  local line = comesAgain and ARGV[3] .. ':' .. ARGV[4] or ARGV[3]
  -- After the cursor or the clock was set back the newest task is one of an old tick.
  if not last or tick > last or (state[7] or '0') ~= line then
    -- It may have ended before this was noted.
    local ended = redis.call('HMGET', key, 'end_id', 'end_code')
    local code = ended[1] == ARGV[2] and ended[2] or ''
    redis.call('HSET', key, 'last_at', ARGV[1], 'last_id', ARGV[2], 'last_era', line,
      'last_code', code)
  end
end
return moved
