-- Ends a task: a queued one at once, with the given outcome, and a running one through its worker.
--
-- ARGV: the task; the circle; the state and the outcome; and the scope: '' for any task, 'queued' if a running task
-- goes on, 'now' if a running task ends at once as well, whatever its worker settles later.
-- Returns 'ended'; 'told' if the worker is told now, 'again' if it had been told before; 'none' if there is no such
-- task; 'running' if the task runs and goes on.
--
-- Cost: about 20 commands; for a queued task, a walk through its circle's queue and, if that is empty then, through the
-- circles with queued tasks.

local id, circle, state, outcome, only = unpack(ARGV)
local task = find_task(id)
if not task or task.circle ~= circle then
  return 'none'
end
local claim = parse_claim(redis.call('HGET', shard .. ':held', id))
if claim and only == 'queued' then
  return 'running'
end
if claim and only ~= 'now' then
  local again = string.find(claim.flags, 'c', 1, true)
  if not again then
    claim.flags = claim.flags .. 'c'
    save_claim(id, claim)
  end
  redis.call('PUBLISH', 'circles:worker:' .. claim.worker, id)
  return again and 'again' or 'told'
end
local may_have_side_effects, results = false, results()
if claim then
  release(results, claim.worker, id)
  task.began = claim.began
  may_have_side_effects = string.find(claim.flags, 'm', 1, true) ~= nil
  redis.call('PUBLISH', 'circles:worker:' .. claim.worker, id)
else
  dequeue(id, task)
end
finish(id, task, state, outcome, has_flag(task, 's') or may_have_side_effects, nil, now(), results)
carry_out(results)
return 'ended'
