-- Accepts tasks, or says of each why not.
--
-- ARGV: the server; how many tasks may wait in the shard; and of one circle; how many answers the server has
-- got; these tasks' names; then, for each new task, five: its name, what the scripts have to know of it (JSON),
-- the task itself, its idempotency key with circle and caller or '', and the call that the key stands for.
-- Returns for each new task: 'accepted', 'full', 'conflict' with the name of the other call's task, 'ended' with
-- a name and an outcome, or 'known' with the name of a task under way.

local server, limit, circle_limit, acknowledged = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local at = 5
if acknowledged > 0 then
  redis.call('HDEL', key('answers', server), unpack(ARGV, at, at + acknowledged - 1))
  at = at + acknowledged
end

local time = now()
local replies, answers = {}, {}
while at <= #ARGV do
  local id, text, body, name, call = unpack(ARGV, at, at + 4)
  at = at + 5
  local meta = cjson.decode(text)
  local reply = nil
  if redis.call('HEXISTS', shard .. ':live', id) == 1 or redis.call('HEXISTS', key('answers', server), id) == 1
    or (meta.kept and redis.call('EXISTS', key('task', id)) == 1) then
    -- Sent twice.
    reply = { 'accepted' }
  elseif name ~= '' then
    local known = redis.call('HMGET', key('key', name), 'task', 'call')
    if known[1] and known[2] ~= call then
      reply = { 'conflict', known[1] }
    elseif known[1] then
      local outcome = redis.call('HGET', key('task', known[1]), 'outcome')
      if outcome then
        reply = { 'ended', known[1], outcome }
      else
        local live = redis.call('HGET', shard .. ':live', known[1])
        local other = live and cjson.decode(live)
        if other and is_late(known[1], other, time, answers) then
          reply = { 'ended', known[1], '"TimedOut"' }
        elseif other then
          await(known[1], other, 'servers', server)
          reply = { 'known', known[1] }
        end
      end
    end
  end
  if not reply then
    local all = tonumber(redis.call('HGET', shard .. ':count', '*') or 0)
    local of_circle = tonumber(redis.call('HGET', shard .. ':count', meta.circle) or 0)
    if all >= limit or of_circle >= circle_limit then
      reply = { 'full' }
    else
      meta.deadline = time + meta.timeout
      if name ~= '' then
        meta.key = key('key', name)
        redis.call('HSET', meta.key, 'task', id, 'call', call)
        redis.call('PEXPIRE', meta.key, meta.timeout + meta.remember)
      end
      if meta.kept then
        redis.call('HSET', key('task', id), 'view', text, 'state', 'Queued')
        redis.call('PEXPIRE', key('task', id), meta.timeout + meta.remember)
        redis.call('ZADD', key('tasks', meta.circle), 0, id)
      end
      redis.call('HSET', shard .. ':live', id, cjson.encode(meta))
      redis.call('HSET', shard .. ':body', id, body)
      enqueue(id, meta, false)
      reply = { 'accepted' }
    end
  end
  replies[#replies + 1] = reply
end
tell(answers)
return replies
