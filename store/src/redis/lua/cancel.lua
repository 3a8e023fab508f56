-- Ends a task that has not ended: one that waits at once, with this outcome; a running one through its worker.
--
-- ARGV: the task; the circle; the state and the outcome of one that waits; 'queued' if a running one goes on.
-- Returns 'ended'; 'told' if its worker hears of it now, 'again' if it had been told before; 'none' if there is no
-- such task; 'running' if it was to go on.

local id, circle, state, outcome, only = unpack(ARGV)
local text = redis.call('HGET', shard .. ':live', id)
local meta = text and cjson.decode(text)
if not meta or meta.circle ~= circle then
  return 'none'
end
local claim = held(id)
if claim and only == 'queued' then
  return 'running'
end
if claim then
  local first = not claim.cancelled
  claim.cancelled = true
  hold(id, claim)
  redis.call('PUBLISH', 'circles:worker:' .. claim.worker, id)
  return first and 'told' or 'again'
end
if redis.call('LREM', key('queue', circle), 1, id) > 0 then
  dequeued(circle)
end
local answers = {}
finish(id, meta, state, outcome, meta.submitted, nil, now(), answers)
tell(answers)
return 'ended'
