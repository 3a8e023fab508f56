-- Prolongs a worker's lease over all it holds in the shard, or gives its tasks up.
--
-- ARGV: the worker; the lease in milliseconds; tasks that it gives back, each with its epoch. One that was taken from
-- it meanwhile, as from a dead worker, is not held against the task: the worker lives.
-- Returns the tasks that it still holds: name, epoch, whether somebody has cancelled it, and servers that want to
-- see what it logs.
--
-- Cost: for each task given back about 12 commands, and for each held 2. A worker holds 64 at most.

local worker, lease = ARGV[1], tonumber(ARGV[2])
local results = results()
for at = 3, #ARGV, 2 do
  local id, epoch = ARGV[at], ARGV[at + 1]
  local claim = held(redis.call('HGET', shard .. ':held', id))
  if claim and claim.worker == worker and claim.epoch == epoch then
    give_back(id, claim, results)
  else
    forgive(id, epoch)
  end
end
tell(results)
local holds = {}
for _, id in ipairs(redis.call('ZRANGE', key('holds', worker), 0, -1)) do
  local claim, task = held(redis.call('HGET', shard .. ':held', id)), known(id)
  if claim and task and claim.worker == worker then
    local watchers = is(task, 'm') and rest(task).watchers or {}
    holds[#holds + 1] = { id, claim.epoch, string.find(claim.flags, 'c', 1, true) and 1 or 0, watchers }
  end
end
if #holds > 0 then
  redis.call('ZADD', shard .. ':leases', now() + lease, worker)
else
  redis.call('ZREM', shard .. ':leases', worker)
end
return holds
