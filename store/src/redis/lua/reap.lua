-- Takes tasks from workers whose lease has ended: back to the queue, or lost if they may have had effects outside.
--
-- ARGV: none.
-- Returns how many tasks went back, and how many were lost.

local time = now()
local dead = redis.call('ZRANGEBYSCORE', shard .. ':leases', '-inf', time)
if #dead == 0 then
  return { 0, 0 }
end
local is_dead = {}
for _, worker in ipairs(dead) do
  is_dead[worker] = true
end
local back, lost = 0, 0
local all = redis.call('HGETALL', shard .. ':held')
for at = 1, #all, 2 do
  local claim = cjson.decode(all[at + 1])
  if is_dead[claim.worker] then
    if give_back(all[at], claim) then
      back = back + 1
    else
      lost = lost + 1
    end
  end
end
for _, worker in ipairs(dead) do
  redis.call('ZREM', shard .. ':leases', worker)
  redis.call('HDEL', shard .. ':workers', worker)
end
return { back, lost }
