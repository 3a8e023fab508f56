-- Tells what is known of a task, and has a server told of its end.
--
-- ARGV: the task; the circle; the server, or '' if nobody waits; 'watch' if it wants to see what the task logs.
-- Returns nothing for a task that is not known; else what the scripts knew of it (JSON), its state, when it began
-- and when it ended, in milliseconds or '', its outcome or '', and how many milliseconds it has left. One whose
-- deadline has passed in the queue ends now. One that has ended without an outcome has lost it for want of room.
--
-- Cost: about 20 commands; for one whose deadline has passed in the queue, a walk through that.

local id, circle, server, watch = unpack(ARGV)
local task = known(id)
if task then
  if task.circle ~= circle then
    return {}
  end
  local claim, time, results = held(redis.call('HGET', shard .. ':held', id)), now(), results()
  local text = string.sub(task.value, task.at)
  if is_late(id, task, time, results) then
    tell(results)
    return { text, 'TimedOut', '', tostring(time), '"TimedOut"', '0' }
  end
  if server ~= '' then
    await(id, task, 'servers', server)
  end
  if watch == 'watch' then
    await(id, task, 'watchers', server)
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
