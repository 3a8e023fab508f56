-- Accepts tasks, or says of each why not, and takes a server's acknowledgements.
--
-- ARGV: the server; the most tasks that may be queued in the shard, and of one circle; how many outcomes the server
-- acknowledges; their tasks; then, for each new task, eleven: its id; its circle; its caller; the milliseconds to its
-- deadline; its flags (see `parse`), or '-'; its pool; its description (JSON); the task itself; its idempotency key
-- with circle and caller, or ''; the call that the key stands for; and, if it is to be remembered, the tasks and bytes
-- of its caller's share, and those of all guests if the caller is one.
-- Returns for each new task: 'accepted'; 'full'; 'conflict' and the task of the other call; 'ended', a task and its
-- outcome; 'dropped' and a task that ended and whose outcome had no room; 'known' and a task under way; or 'share' or
-- 'guests' and the milliseconds for which that share is full.
--
-- Cost: for each task about 25 commands, and where a key leads to a task past its deadline, a walk through its circle's
-- queue. A server sends at most 64 tasks and 1,000 acknowledgements.

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

-- By circle: the pool, how many tasks are queued, and the new ones.
local circles, order = {}, {}
local function circle_of(circle, pool)
  local found = circles[circle]
  if not found then
    found = { pool = pool, waiting = redis.call('LLEN', key('queue', circle)), ids = {} }
    circles[circle] = found
    order[#order + 1] = circle
  end
  return found
end

-- Tasks that this step accepts.
local new = {}

-- Returns the reply to a call with a known idempotency key.
local function known_call(name, call)
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
  local task = find_task(id)
  if task and expire_if_late(id, task, time, results) then
    return { 'ended', id, '"TimedOut"' }
  end
  if task then
    add_listener(id, task, 'servers', server)
    return { 'known', id }
  end
end

-- Returns the milliseconds until the oldest task of a set is forgotten.
local function millis_until_forgotten(set)
  local oldest = redis.call('ZRANGE', set, 0, 0)[1]
  local till = oldest and redis.call('HGET', key('task', oldest), 'until')
  return string.format('%.0f', math.max(till and tonumber(till) - time or 60000, 1000))
end

-- Returns the reason that a task cannot be remembered, if there is one.
local function share_refusal(circle, caller, quota)
  local tasks, bytes, guest_tasks, guest_bytes = string.match(quota, '^(%d+) (%d+) ?(%d*) ?(%d*)$')
  local shares = redis.call('HMGET', key('shares', circle), 'tasks ' .. caller, 'bytes ' .. caller, 'tasks *', 'bytes *')
  local function is_full(at, most)
    return most ~= '' and tonumber(shares[at] or 0) >= tonumber(most)
  end
  if is_full(1, tasks) or is_full(2, bytes) then
    return { 'share', millis_until_forgotten(key('tasks', circle .. ':' .. caller)) }
  end
  if is_full(3, guest_tasks) or is_full(4, guest_bytes) then
    return { 'guests', millis_until_forgotten(key('tasks', circle)) }
  end
end

local function grow_share(circle, caller, quota)
  local shares = key('shares', circle)
  redis.call('HINCRBY', shares, 'tasks ' .. caller, 1)
  if string.match(quota, '^%d+ %d+ %d') then
    redis.call('HINCRBY', shares, 'tasks *', 1)
  end
end

local lives, bodies, open = {}, {}, {}
local function add_open(set, id)
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
    -- The submission arrived twice.
    reply = { 'accepted' }
  elseif name ~= '' then
    reply = known_call(name, call)
  end
  if not reply and flags ~= '-' then
    reply = share_refusal(circle, caller, quota)
  end
  if not reply then
    local others = circle_of(circle, pool)
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
      add_open(key('open', circle), id)
      add_open(key('open', circle .. ':' .. caller), id)
      if flags ~= '-' then
        redis.call('HSET', key('task', id), 'view', text, 'state', 'Queued')
        grow_share(circle, caller, quota)
        if name ~= '' then
          redis.call('HSET', key('key', name), 'task', id, 'call', call)
          redis.call('PEXPIRE', key('key', name), tonumber(timeout) + cjson.decode(text).remember)
        end
      end
    end
  end
  replies[index] = reply
end
call_chunked('HSET', shard .. ':live', lives)
call_chunked('HSET', shard .. ':body', bodies)
for set, members in pairs(open) do
  call_chunked('ZADD', set, members)
end
for _, circle in ipairs(order) do
  local found = circles[circle]
  if #found.ids > 0 then
    enqueue(circle, found.pool, found.ids, false)
  end
end
carry_out(results)
-- Last, since it needs no room: a full Redis refuses the first write that does, and then nothing has happened.
if acknowledged > 0 then
  call_chunked('HDEL', key('answers', server), { unpack(ARGV, 5, 4 + acknowledged) })
end
-- Forgets more tasks than it accepts, so that they never pile up.
sweep(4 * #ids)
return replies
