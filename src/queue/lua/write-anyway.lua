-- Carries out writes one after the other, also in a Redis that has no memory to spare: that one
-- refuses a script what may add only until its first write, and the first here adds nothing.
-- KEYS the keys that are written; the first has no end of life, or gets a new one here
-- ARGV of each write how many words it has, and its words, the command first
-- returns nothing
redis.call('PERSIST', KEYS[1])
local at = 1
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  redis.call(unpack(ARGV, at + 1, at + words))
  at = at + words + 1
end
