-- Takes note that a worker is there, and tells how many are.
--
-- KEYS[1] is the set of workers, each with how long it counts as there, in milliseconds of this Redis.
-- ARGV: the worker, or ''; for how many milliseconds from now it counts, 0 if it goes.
-- Returns how many there are.
--
-- Cost: 3 commands, which grow with the workers that were there since the last time.

local worker, patience = ARGV[1], tonumber(ARGV[2])
local time = now()
if worker ~= '' then
  redis.call('ZADD', KEYS[1], time + patience, worker)
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time)
end
return redis.call('ZCOUNT', KEYS[1], '(' .. time, '+inf')
