-- Registers a worker, and counts the registered ones.
--
-- KEYS[1] is the sorted set of workers, by the time until which each counts, in milliseconds of this Redis.
-- ARGV: the worker, or '' to count only; for how many milliseconds from now it counts, 0 if it leaves.
-- Returns how many workers there are.
--
-- Cost: 3 commands, which grow with the workers whose time has run out since the last call.

local worker, patience = ARGV[1], tonumber(ARGV[2])
local time = now()
if worker ~= '' then
  redis.call('ZADD', KEYS[1], time + patience, worker)
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', time)
end
return redis.call('ZCOUNT', KEYS[1], '(' .. time, '+inf')
