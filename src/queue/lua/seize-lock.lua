-- Makes the lock of a dead owner ours, unless somebody else has taken the task meanwhile, or the
-- owner's node has given a sign of life.
-- KEYS[1] the task's lock   KEYS[2] the signs of life of all nodes
-- ARGV[1] the dead owner's token ('' when there is none)   ARGV[2] our token   ARGV[3] ms
-- ARGV[4] the owner's field in KEYS[2], or '' when the owner was not judged by it
-- It removes before it adds: so a Redis whose memory is full carries it out.
-- returns 1, or 0 when another owner holds it or may live
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
if ARGV[4] ~= '' then
  local sign = redis.call('HGET', KEYS[2], ARGV[4])
  if sign and string.sub(sign, 1, 5) ~= 'gone ' then return 0 end
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
