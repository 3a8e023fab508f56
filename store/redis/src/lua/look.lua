-- Looks up a task, and has a server told of its end.
--
-- ARGV: the task; the circle; the server, or '' if it does not wait; 'watch' if it watches the task's log.
-- Returns nothing for an unknown task; else its description (JSON), state, start and end in milliseconds or '', outcome
-- or '', and the milliseconds to its deadline. A queued task past its deadline ends now. The outcome of an ended task
-- is '' if its caller's share had no room for it.
--
-- Cost: about 20 commands; for a queued task past its deadline, a walk through its queue.

local id, circle, server, watch = unpack(ARGV)
local task = find_task(id)
if task then
  if task.circle ~= circle then
    return {}
  end
  local claim, time, results = parse_claim(redis.call('HGET', shard .. ':held', id)), now(), results()
  local text = string.sub(task.value, task.at)
  if expire_if_late(id, task, time, results) then
    carry_out(results)
    return { text, 'TimedOut', '', tostring(time), '"TimedOut"', '0' }
  end
  if server ~= '' then
    add_listener(id, task, 'servers', server)
  end
  if watch == 'watch' then
    add_listener(id, task, 'watchers', server)
    if claim then
      redis.call('PUBLISH', 'circles:worker:' .. claim.worker, 'watch ' .. id .. ' ' .. server)
    end
  end
  local left = tostring(math.max(task.deadline - time, 0))
  return { text, claim and 'Running' or 'Queued', claim and claim.began or '', '', '', left }
end
local view = redis.call('HMGET', key('task', id), 'view', 'state', 'started', 'ended', 'outcome', 'until')
if not view[1] or cjson.decode(view[1]).circle ~= circle or (view[6] and tonumber(view[6]) <= now()) then
  return {}
end
return { view[1], view[2], view[3] or '', view[4] or '', view[5] or '', '0' }
