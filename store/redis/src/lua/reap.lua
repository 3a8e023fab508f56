-- Takes tasks from workers whose lease has ended: back to the queue, or lost if they may have had effects outside, or
-- if a worker had died with them before. Forgets tasks whose time is over.
--
-- ARGV: none.
-- Returns how many tasks went back, how many were lost, the pools of which tasks wait, and 1 if more is to be done.
--
-- Cost: for each task taken about 20 commands, of `WORKERS` workers that hold 64 each at most; for each task forgotten
-- about 10, `FORGOTTEN` at most; and 2 for each pool.

local WORKERS, FORGOTTEN = 8, 256
local dead = redis.call('ZRANGEBYSCORE', shard .. ':leases', '-inf', now(), 'LIMIT', 0, WORKERS)
-- First, as it needs no room: also a full Redis takes tasks from the dead.
for _, worker in ipairs(dead) do
  redis.call('HDEL', shard .. ':workers', worker)
end
local back, lost, results = 0, 0, results()
for _, worker in ipairs(dead) do
  for _, id in ipairs(redis.call('ZRANGE', key('holds', worker), 0, -1)) do
    local claim = held(redis.call('HGET', shard .. ':held', id))
    if claim and claim.worker == worker then
      if give_back(id, claim, results, true) then
        back = back + 1
      else
        lost = lost + 1
      end
    end
  end
end
tell(results)
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
