-- Ends a task that has not ended: one that waits at once, with this outcome; a running one through its worker.
--
-- ARGV: the task; the circle; the state and the outcome of one that waits; 'queued' if a running one goes on.
-- Returns 'ended'; 'told' if its worker hears of it now, 'again' if it had been told before; 'none' if there is no
-- such task; 'running' if it was to go on.

local id, circle, state, outcome, only = unpack(ARGV)
local task = known(id)
if not task or task.circle ~= circle then
  return 'none'
end
local claim = held(redis.call('HGET', shard .. ':held', id))
if claim and only == 'queued' then
  return 'running'
end
if claim then
  local again = string.find(claim.flags, 'c', 1, true)
  if not again then
    claim.flags = claim.flags .. 'c'
    hold(id, claim)
  end
  redis.call('PUBLISH', 'circles:worker:' .. claim.worker, id)
  return again and 'again' or 'told'
end
redis.call('DECRBY', shard .. ':count', redis.call('LREM', key('queue', circle), 1, id))
local results = results()
finish(id, task, state, outcome, is(task, 's'), nil, now(), results)
tell(results)
return 'ended'
