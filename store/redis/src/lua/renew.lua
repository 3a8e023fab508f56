-- Renews a worker's lease on all that it holds in the shard, and returns tasks to the queue.
--
-- ARGV: the worker; the lease in milliseconds; the tasks that it returns, each followed by its epoch. If a task was
-- reaped meanwhile, the death that was counted is forgiven: the worker lives.
-- Returns the tasks that it still holds: id, epoch, 1 if the task is cancelled, and the servers that watch it.
--
-- Cost: for each returned task about 12 commands, and for each held one 2. A worker holds at most 64.

local worker, lease = ARGV[1], tonumber(ARGV[2])
local results = results()
for at = 3, #ARGV, 2 do
  local id, epoch = ARGV[at], ARGV[at + 1]
  local claim = parse_claim(redis.call('HGET', shard .. ':held', id))
  if claim and claim.worker == worker and claim.epoch == epoch then
    give_back(id, claim, results)
  else
    forgive(id, epoch)
  end
end
carry_out(results)
local holds = {}
for _, id in ipairs(redis.call('ZRANGE', key('holds', worker), 0, -1)) do
  local claim, task = parse_claim(redis.call('HGET', shard .. ':held', id)), find_task(id)
  if claim and task and claim.worker == worker then
    local watchers = has_flag(task, 'm') and json_of(task).watchers or {}
    holds[#holds + 1] = { id, claim.epoch, string.find(claim.flags, 'c', 1, true) and 1 or 0, watchers }
  end
end
if #holds > 0 then
  redis.call('ZADD', shard .. ':leases', now() + lease, worker)
else
  redis.call('ZREM', shard .. ':leases', worker)
end
return holds
