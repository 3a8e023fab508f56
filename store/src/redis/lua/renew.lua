-- Prolongs a worker's lease over all it holds in the shard, or gives its tasks up.
--
-- ARGV: the worker; the lease in milliseconds; tasks that it gives back, each with its epoch.
-- Returns the tasks that it still holds: name, epoch, whether somebody has cancelled it, and servers that want to
-- see what it logs.

local worker, lease = ARGV[1], tonumber(ARGV[2])
local results = results()
for at = 3, #ARGV, 2 do
  local id, epoch = ARGV[at], ARGV[at + 1]
  local claim = held(redis.call('HGET', shard .. ':held', id))
  if claim and claim.worker == worker and claim.epoch == epoch then
    give_back(id, claim, results)
  end
end
tell(results)
local holds = {}
local all = redis.call('HGETALL', shard .. ':held')
for at = 1, #all, 2 do
  local claim = held(all[at + 1])
  if claim.worker == worker then
    local task = known(all[at])
    local watchers = is(task, 'm') and rest(task).watchers or {}
    holds[#holds + 1] = { all[at], claim.epoch, string.find(claim.flags, 'c', 1, true) and 1 or 0, watchers }
  end
end
if #holds > 0 then
  redis.call('ZADD', shard .. ':leases', now() + lease, worker)
else
  redis.call('ZREM', shard .. ':leases', worker)
end
return holds
