-- Lets a Task:Fail hash expire, unless a later attempt stands in it that is not archived yet.
-- KEYS[1] the hash
-- ARGV[1] the attempt that was archived   ARGV[2] ms
-- returns 1 when the hash will expire, else 0
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
