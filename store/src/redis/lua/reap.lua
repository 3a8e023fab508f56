-- Takes tasks from workers whose lease has ended: back to the queue, or lost if they may have had effects outside.
--
-- ARGV: none.
-- Returns how many tasks went back, how many were lost, and the pools of which tasks wait.

local time = now()
local dead = redis.call('ZRANGEBYSCORE', shard .. ':leases', '-inf', time)
local is_dead = {}
for _, worker in ipairs(dead) do
  is_dead[worker] = true
end
local back, lost, results = 0, 0, results()
local all = #dead > 0 and redis.call('HGETALL', shard .. ':held') or {}
for at = 1, #all, 2 do
  local claim = held(all[at + 1])
  if is_dead[claim.worker] then
    if give_back(all[at], claim, results) then
      back = back + 1
    else
      lost = lost + 1
    end
  end
end
tell(results)
for _, worker in ipairs(dead) do
  redis.call('ZREM', shard .. ':leases', worker)
  redis.call('HDEL', shard .. ':workers', worker)
end
local waiting = {}
for _, pool in ipairs(redis.call('SMEMBERS', shard .. ':pools')) do
  if redis.call('EXISTS', key('turns', pool)) == 1 then
    waiting[#waiting + 1] = pool
  else
    redis.call('SREM', shard .. ':pools', pool)
  end
end
return { back, lost, waiting }
