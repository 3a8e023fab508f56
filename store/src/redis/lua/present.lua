-- Takes note that a worker is there, and tells how many are.
--
-- KEYS[1] is the set of workers, each with when it was last heard of, in milliseconds of this Redis.
-- ARGV: the worker, or ''; how many milliseconds after its last word one counts as gone.
-- Returns how many there are.

local worker, patience = ARGV[1], tonumber(ARGV[2])
local gone = now() - patience
if worker ~= '' then
  redis.call('ZADD', KEYS[1], now(), worker)
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', gone)
end
return redis.call('ZCOUNT', KEYS[1], '(' .. gone, '+inf')
