-- Accepts tasks, or says of each why not.
--
-- ARGV: the server; how many tasks may wait in the shard; and of one circle; how many answers the server has
-- got; these tasks' names; then, for each new task, nine: its name; its circle; its time in milliseconds; its flags
-- (see `parse`), or '-'; its pool; the JSON of what the scripts have to know of it; the task itself; its idempotency
-- key with circle and caller or ''; and the call that the key stands for.
-- Returns for each new task: 'accepted', 'full', 'conflict' with the name of the other call's task, 'ended' with
-- a name and an outcome, or 'known' with the name of a task under way.

local server, limit, circle_limit, acknowledged = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local first = 5 + acknowledged
local time = now()
local replies, results = {}, results()

local ids = {}
for at = first, #ARGV, 9 do
  ids[#ids + 1] = ARGV[at]
end
local under_way, answered = {}, {}
if #ids > 0 then
  under_way = fields(shard .. ':live', ids)
  answered = fields(key('answers', server), ids)
end
local waiting = tonumber(redis.call('GET', shard .. ':count') or 0)

-- By circle: the pool, how many tasks wait, and which are new.
local circles, order = {}, {}
local function of(circle, pool)
  local found = circles[circle]
  if not found then
    found = { pool = pool, waiting = redis.call('LLEN', key('queue', circle)), ids = {} }
    circles[circle] = found
    order[#order + 1] = circle
  end
  return found
end

-- Those that this step accepts.
local new = {}

-- What is to be said to one who brings a key that is known.
local function repeated(name, call)
  local before = redis.call('HMGET', key('key', name), 'task', 'call')
  local id = before[1]
  if not id then
    return nil
  end
  if before[2] ~= call then
    return { 'conflict', id }
  end
  if new[id] then
    return { 'known', id }
  end
  local outcome = redis.call('HGET', key('task', id), 'outcome')
  if outcome then
    return { 'ended', id, outcome }
  end
  local task = known(id)
  if task and is_late(id, task, time, results) then
    return { 'ended', id, '"TimedOut"' }
  end
  if task then
    await(id, task, 'servers', server)
    return { 'known', id }
  end
end

local lives, bodies = {}, {}
for index, id in ipairs(ids) do
  local circle, timeout, flags, pool, text, body, name, call =
    unpack(ARGV, first + 9 * index - 8, first + 9 * index - 1)
  local reply
  if under_way[index] or answered[index] or new[id]
    or (flags ~= '-' and redis.call('EXISTS', key('task', id)) == 1) then
    -- Sent twice.
    reply = { 'accepted' }
  elseif name ~= '' then
    reply = repeated(name, call)
  end
  if not reply then
    local others = of(circle, pool)
    if waiting >= limit or others.waiting >= circle_limit then
      reply = { 'full' }
    else
      reply = { 'accepted' }
      new[id] = true
      waiting = waiting + 1
      others.waiting = others.waiting + 1
      others.ids[#others.ids + 1] = id
      local head = string.format('%.0f %s 0 %s %s ', time + tonumber(timeout), flags, server, circle)
      lives[#lives + 1] = id
      lives[#lives + 1] = head .. text
      bodies[#bodies + 1] = id
      bodies[#bodies + 1] = body
      if flags ~= '-' then
        local forgotten = tonumber(timeout) + cjson.decode(text).remember
        redis.call('HSET', key('task', id), 'view', text, 'state', 'Queued')
        redis.call('PEXPIRE', key('task', id), forgotten)
        redis.call('ZADD', key('tasks', circle), 0, id)
        if name ~= '' then
          redis.call('HSET', key('key', name), 'task', id, 'call', call)
          redis.call('PEXPIRE', key('key', name), forgotten)
        end
      end
    end
  end
  replies[index] = reply
end
each('HSET', shard .. ':live', lives)
each('HSET', shard .. ':body', bodies)
for _, circle in ipairs(order) do
  local found = circles[circle]
  if #found.ids > 0 then
    enqueue(circle, found.pool, found.ids, false)
  end
end
tell(results)
-- Last, as it needs no room: a Redis that is full refuses the first write that does, and nothing has happened.
if acknowledged > 0 then
  each('HDEL', key('answers', server), { unpack(ARGV, 5, 4 + acknowledged) })
end
return replies
