-- Tells what is known of a task, and has a server told of its end.
--
-- ARGV: the task; the circle; the server, or '' if nobody waits; 'watch' if it wants to see what the task logs.
-- Returns nothing for a task that is not known; else what the scripts knew of it (JSON), its state, when it began
-- and when it ended, in milliseconds or '', its outcome or '', and how many milliseconds it has left. One whose
-- deadline has passed in the queue ends now.

local id, circle, server, watch = unpack(ARGV)
local text = redis.call('HGET', shard .. ':live', id)
if text then
  local meta = cjson.decode(text)
  if meta.circle ~= circle then
    return {}
  end
  local claim, time = held(id), now()
  local answers = {}
  if is_late(id, meta, time, answers) then
    tell(answers)
    return { text, 'TimedOut', '', tostring(time), '"TimedOut"', '0' }
  end
  if server ~= '' then
    await(id, meta, 'servers', server)
  end
  if watch == 'watch' then
    await(id, meta, 'watchers', server)
    if claim then
      redis.call('PUBLISH', 'circles:worker:' .. claim.worker, 'watch ' .. id .. ' ' .. server)
    end
  end
  local left = tostring(math.max(meta.deadline - time, 0))
  return { text, claim and 'Running' or 'Queued', claim and tostring(claim.began) or '', '', '', left }
end
local known = redis.call('HMGET', key('task', id), 'view', 'state', 'started', 'ended', 'outcome')
if not known[1] or cjson.decode(known[1]).circle ~= circle then
  return {}
end
return { known[1], known[2], known[3] or '', known[4] or '', known[5] or '', '0' }
