-- Accepts tasks, or says of each why not.
--
-- ARGV: the server; how many tasks may wait in the shard; and of one circle; how many answers the server has
-- got; these tasks' names; then, for each new task, eleven: its name; its circle; its caller; its time in
-- milliseconds; its flags (see `parse`), or '-'; its pool; the JSON of what the scripts have to know of it; the task
-- itself; its idempotency key with circle and caller or ''; the call that the key stands for; and, if it is to be
-- remembered, how many tasks and bytes its caller's share has, and those of all guests if it is one.
-- Returns for each new task: 'accepted', 'full', 'conflict' with the name of the other call's task, 'ended' with
-- a name and an outcome, 'dropped' with the name of a task that ended and whose outcome is no longer there, 'known'
-- with the name of a task under way, or 'share' and 'guests' with milliseconds, where a share is full for so long.
--
-- Cost: for each task about 25 commands, and where a key leads to one whose deadline has passed, a walk through its
-- circle's queue. The server sends 64 tasks and 1,000 answers at most.

local server, limit, circle_limit, acknowledged = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local first = 5 + acknowledged
local time = now()
local replies, results = {}, results()

local ids = {}
for at = first, #ARGV, 11 do
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
  local state, outcome, till, view = unpack(redis.call('HMGET', key('task', id), 'state', 'outcome', 'until', 'view'))
  if till and tonumber(till) <= time then
    forget(id, cjson.decode(view))
    return nil
  end
  if before[2] ~= call then
    return { 'conflict', id }
  end
  if new[id] then
    return { 'known', id }
  end
  if outcome then
    return { 'ended', id, outcome }
  end
  if till then
    return { 'dropped', id }
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

-- How long until something of a set is forgotten, as far as its oldest task tells.
local function patience(set)
  local oldest = redis.call('ZRANGE', set, 0, 0)[1]
  local till = oldest and redis.call('HGET', key('task', oldest), 'until')
  return string.format('%.0f', math.max(till and tonumber(till) - time or 60000, 1000))
end

-- Why a task cannot be remembered; nothing if it can.
local function without_room(circle, caller, quota)
  local tasks, bytes, guest_tasks, guest_bytes = string.match(quota, '^(%d+) (%d+) ?(%d*) ?(%d*)$')
  local shares = redis.call('HMGET', key('shares', circle), 'tasks ' .. caller, 'bytes ' .. caller, 'tasks *', 'bytes *')
  local function is_full(at, most)
    return most ~= '' and tonumber(shares[at] or 0) >= tonumber(most)
  end
  if is_full(1, tasks) or is_full(2, bytes) then
    return { 'share', patience(key('tasks', circle .. ':' .. caller)) }
  end
  if is_full(3, guest_tasks) or is_full(4, guest_bytes) then
    return { 'guests', patience(key('tasks', circle)) }
  end
end

local function count_in(circle, caller, quota)
  local shares = key('shares', circle)
  redis.call('HINCRBY', shares, 'tasks ' .. caller, 1)
  if string.match(quota, '^%d+ %d+ %d') then
    redis.call('HINCRBY', shares, 'tasks *', 1)
  end
end

local lives, bodies, open = {}, {}, {}
local function opens(set, id)
  local members = open[set] or {}
  members[#members + 1] = 0
  members[#members + 1] = id
  open[set] = members
end

for index, id in ipairs(ids) do
  local circle, caller, timeout, flags, pool, text, body, name, call, quota =
    unpack(ARGV, first + 11 * index - 10, first + 11 * index - 1)
  local reply
  if under_way[index] or answered[index] or new[id]
    or (flags ~= '-' and redis.call('EXISTS', key('task', id)) == 1) then
    -- Sent twice.
    reply = { 'accepted' }
  elseif name ~= '' then
    reply = repeated(name, call)
  end
  if not reply and flags ~= '-' then
    reply = without_room(circle, caller, quota)
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
      local head = string.format('%.0f %s 0 %s %s %s ', time + tonumber(timeout), flags, server, circle, caller)
      lives[#lives + 1] = id
      lives[#lives + 1] = head .. text
      bodies[#bodies + 1] = id
      bodies[#bodies + 1] = body
      opens(key('open', circle), id)
      opens(key('open', circle .. ':' .. caller), id)
      if flags ~= '-' then
        redis.call('HSET', key('task', id), 'view', text, 'state', 'Queued')
        count_in(circle, caller, quota)
        if name ~= '' then
          redis.call('HSET', key('key', name), 'task', id, 'call', call)
          redis.call('PEXPIRE', key('key', name), tonumber(timeout) + cjson.decode(text).remember)
        end
      end
    end
  end
  replies[index] = reply
end
each('HSET', shard .. ':live', lives)
each('HSET', shard .. ':body', bodies)
for set, members in pairs(open) do
  each('ZADD', set, members)
end
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
-- More than come in, so that what is over never gathers.
sweep(4 * #ids)
return replies
