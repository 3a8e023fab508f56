-- Prolongs a worker's lease over all it holds in the shard, or gives its tasks up.
--
-- ARGV: the worker; the lease in milliseconds; tasks that it gives back, each with its epoch.
-- Returns the tasks that it still holds: name, epoch, whether somebody has cancelled it, and servers that want to
-- see what it logs.

local worker, lease = ARGV[1], tonumber(ARGV[2])
for at = 3, #ARGV, 2 do
  local id, epoch = ARGV[at], ARGV[at + 1]
  local claim = held(id)
  if claim and claim.worker == worker and tostring(claim.epoch) == epoch then
    give_back(id, claim)
  end
end
local holds = {}
local all = redis.call('HGETALL', shard .. ':held')
for at = 1, #all, 2 do
  local claim = cjson.decode(all[at + 1])
  if claim.worker == worker then
    local meta = cjson.decode(redis.call('HGET', shard .. ':live', all[at]))
    holds[#holds + 1] = { all[at], tostring(claim.epoch), claim.cancelled and 1 or 0, meta.watchers or {} }
  end
end
if #holds > 0 then
  redis.call('ZADD', shard .. ':leases', now() + lease, worker)
else
  redis.call('ZREM', shard .. ':leases', worker)
end
return holds
