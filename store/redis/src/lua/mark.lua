-- Marks a task before its first side effect: from now on it is not run again after a crash.
--
-- ARGV: the task; the worker; the epoch of its claim.
-- Returns 1, or 0 if the worker no longer holds the task: then the side effect must not happen.
--
-- Cost: 2 commands.

local id, worker, epoch = unpack(ARGV)
local claim = parse_claim(redis.call('HGET', shard .. ':held', id))
if not claim or claim.worker ~= worker or claim.epoch ~= epoch then
  return 0
end
claim.flags = claim.flags .. 'm'
save_claim(id, claim)
return 1
