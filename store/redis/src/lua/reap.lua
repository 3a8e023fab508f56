-- Takes tasks from workers whose lease has ended. They return to the queue, or end as lost if they may have had side
-- effects, or if a worker died with them before. Also forgets tasks that are remembered no longer.
--
-- ARGV: none.
-- Returns how many tasks returned to the queue, how many were lost, the pools with queued tasks, and 1 if there is more
-- to do.
--
-- Cost: for each reaped task about 20 commands, of at most `WORKERS` workers that hold at most 64 each; for each
-- forgotten task about 10, at most `FORGOTTEN`; and 2 for each pool.

local WORKERS, FORGOTTEN = 8, 256
local dead = redis.call('ZRANGEBYSCORE', shard .. ':leases', '-inf', now(), 'LIMIT', 0, WORKERS)
-- First, since it needs no room: a full Redis reaps as well.
for _, worker in ipairs(dead) do
  redis.call('HDEL', shard .. ':workers', worker)
end
local back, lost, results = 0, 0, results()
for _, worker in ipairs(dead) do
  for _, id in ipairs(redis.call('ZRANGE', key('holds', worker), 0, -1)) do
    local claim = parse_claim(redis.call('HGET', shard .. ':held', id))
    if claim and claim.worker == worker then
      if give_back(id, claim, results, true) then
        back = back + 1
      else
        lost = lost + 1
      end
    end
  end
end
carry_out(results)
for _, worker in ipairs(dead) do
  redis.call('ZREM', shard .. ':leases', worker)
  redis.call('DEL', key('holds', worker))
end
local has_more = sweep(FORGOTTEN) or #dead == WORKERS
local waiting = {}
for _, pool in ipairs(redis.call('SMEMBERS', shard .. ':pools')) do
  if redis.call('EXISTS', key('turns', pool)) == 1 then
    waiting[#waiting + 1] = pool
  else
    redis.call('SREM', shard .. ':pools', pool)
  end
end
return { back, lost, waiting, has_more and 1 or 0 }
