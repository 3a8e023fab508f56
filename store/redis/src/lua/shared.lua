-- The functions that all scripts share. This file stands before each of them.
--
-- KEYS[1] is the shard: `circles:{NN}`, whose braces put all of it into one slot (Redis Cluster specification,
-- "Hash tags"). Every key below begins with it:
--
--   :live              hash    task → its description, from acceptance to its end; see `parse`
--   :body              hash    task → the task itself, which no script reads
--   :held              hash    task → how a worker holds it; see `parse_claim`
--   :epoch             string  the last epoch handed out
--   :holds:WORKER      zset    tasks that a worker holds, by the epochs of their claims
--   :workers           hash    worker → the number of its last claim and the tasks, to answer it again
--   :leases            zset    workers by the end of their lease, in milliseconds of this Redis
--   :count             string  how many tasks are queued
--   :turns:POOL        list    circles with queued tasks, each once
--   :pools             set     pools that have had queued tasks
--   :queue:CIRCLE      list    queued tasks
--   :answers:SERVER    hash    task → outcome, until the server acknowledges it
--   :key:CIRCLE:…      hash    of an idempotency key: its task, and the call that it stands for
--   :task:TASK         hash    a remembered task: its view, its outcome unless that was dropped, its bytes, and until
--                              when it is remembered
--   :open:CIRCLE       zset    tasks under way, all with score 0, so in the order of their ids
--   :open:CIRCLE:CALLER  zset  those of one caller
--   :tasks:CIRCLE      zset    remembered tasks that have ended, all with score 0
--   :tasks:CIRCLE:CALLER zset  those of one caller
--   :shares:CIRCLE     hash    `tasks CALLER` and `bytes CALLER`: how much is remembered for a caller, and with `*` for
--                              all guests together
--   :expiry            zset    remembered tasks by the millisecond at which they are forgotten; see `sweep`
--   :documents:CIRCLE  hash    key → document
--   :keys:CIRCLE       zset    the keys, all with score 0, so in the order of their bytes
--   :undo:CIRCLE       hash    version → the keys that it changed and their values before, for the latest versions
--   :circle:CIRCLE     hash    version, floor (the last version whose :undo is gone), bytes, undo (bytes of :undo)
--   :way:CIRCLE        string  the play that has priority after a conflict, for a moment
--   :done:TASK         string  set for a while once a play has ended that was never queued
--   :records:CIRCLE    list    provenance records that are not sealed yet
--   :seals:CIRCLE      list    sealed records
--   :unsealed          set     circles with unsealed records
--   :hint              channel pools with queued tasks, for workers that claim for some circles only
--
-- Scripts check everything before they change anything, so an error leaves all as it was. Each script may be sent twice
-- and does its work once.
--
-- Redis does nothing else while a script runs, so every script is bounded. The `Cost` in its file names what the cost
-- grows with and where that ends; `store/tests/it/costs.rs` fills a shard and counts. An anonymous caller is `-` in
-- keys.

local shard = KEYS[1]

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function key(name, of)
  return shard .. ':' .. name .. ':' .. of
end

-- Returns whether one text comes before another by its bytes. Lua's own order depends on the server's locale.
local function is_less(one, other)
  local at, most = 1, math.min(#one, #other)
  -- Keys may be equal for their first thousand bytes, so equal parts are skipped by halves.
  local step = most
  while step > 8 do
    step = math.floor(step / 2)
    if string.sub(one, at, at + step - 1) == string.sub(other, at, at + step - 1) then
      at = at + step
    end
  end
  for at = at, most do
    local left, right = string.byte(one, at), string.byte(other, at)
    if left ~= right then
      return left < right
    end
  end
  return #one < #other
end

-- Returns the version of a circle's documents, the oldest version that can be read, the bytes of the documents, and the
-- bytes of what they replaced.
local function version_of(circle)
  local state = redis.call('HMGET', key('circle', circle), 'version', 'floor', 'bytes', 'undo')
  for index = 1, 4 do
    state[index] = tonumber(state[index] or 0)
  end
  local version, floor, bytes, undo = unpack(state)
  if version > floor and redis.call('EXISTS', key('undo', circle)) == 0 then
    floor = version
  end
  return version, floor, bytes, undo
end

-- Returns the keys that a version changed and their values before, in turn.
local function undo_of(circle, version)
  return cmsgpack.unpack(redis.call('HGET', key('undo', circle), version))
end

-- Calls a command with many values, a thousand at a time, since more do not fit on Lua's stack. Returns the last reply.
local function call_chunked(command, name, values)
  local last
  for from = 1, #values, 1000 do
    last = redis.call(command, name, unpack(values, from, math.min(from + 999, #values)))
  end
  return last
end

-- Returns the fields of a hash, in order, false for missing ones.
local function fields(name, names)
  local values = {}
  for from = 1, #names, 1000 do
    for _, value in ipairs(redis.call('HMGET', name, unpack(names, from, math.min(from + 999, #names)))) do
      values[#values + 1] = value
    end
  end
  return values
end

-- Reads the description of a task: words, followed by JSON that most steps do not need. The words are the deadline in
-- milliseconds of this Redis; flags: `k` if the task is remembered after its end, `s` if it was submitted, `m` if more
-- than one server waits for it or a server watches it; how often it was retried; the server that is told of its end;
-- its circle; its caller.
local function parse(value)
  local deadline, flags, retried, server, circle, caller, at =
    string.match(value, '^(%d+) (%S+) (%d+) (%S+) (%S+) (%S+) ()')
  return {
    deadline = tonumber(deadline), flags = flags, retried = tonumber(retried), server = server, circle = circle,
    caller = caller, at = at, value = value,
  }
end

local function has_flag(task, flag)
  return string.find(task.flags, flag, 1, true) ~= nil
end

-- Returns the JSON of a task, decoded.
local function json_of(task)
  if not task.json then
    task.json = cjson.decode(string.sub(task.value, task.at))
  end
  return task.json
end

local function find_task(id)
  local value = redis.call('HGET', shard .. ':live', id)
  return value and parse(value)
end

-- Stores the changed description of a task.
local function save_task(id, task)
  local head = string.format('%.0f %s %d %s %s %s ', task.deadline, task.flags, task.retried, task.server, task.circle,
    task.caller)
  redis.call('HSET', shard .. ':live', id, head .. (task.json and cjson.encode(task.json) or string.sub(task.value, task.at)))
end

-- Reads how a task is held: the epoch of its claim, the worker, the number of the worker's claim, the start, and flags:
-- `m` if the task is marked, `c` if it is cancelled.
local function parse_claim(value)
  if not value then
    return nil
  end
  local epoch, worker, number, began, flags = string.match(value, '^(%d+) (%S+) (%d+) (%d+) (%S+)$')
  return { epoch = epoch, worker = worker, number = number, began = began, flags = flags }
end

local function save_claim(id, claim)
  local words = { claim.epoch, claim.worker, claim.number, claim.began, claim.flags }
  redis.call('HSET', shard .. ':held', id, table.concat(words, ' '))
end

-- Queues tasks of a circle, at the end of its queue or in front.
local function enqueue(circle, pool, ids, in_front)
  if call_chunked(in_front and 'LPUSH' or 'RPUSH', key('queue', circle), ids) == #ids then
    redis.call('RPUSH', key('turns', pool), circle)
    redis.call('SADD', shard .. ':pools', pool)
    redis.call('PUBLISH', shard .. ':hint', pool)
  end
  redis.call('INCRBY', shard .. ':count', #ids)
end

-- Removes one task and its bytes from a share.
local function shrink_share(shares, whose, bytes)
  if redis.call('HINCRBY', shares, 'tasks ' .. whose, -1) <= 0 then
    redis.call('HDEL', shares, 'tasks ' .. whose, 'bytes ' .. whose)
  elseif bytes > 0 then
    redis.call('HINCRBY', shares, 'bytes ' .. whose, -bytes)
  end
end

local function free_key(id, more)
  if more.key and redis.call('HGET', key('key', more.key), 'task') == id then
    redis.call('DEL', key('key', more.key))
  end
end

-- Forgets a remembered task, and its key. The first write needs no room, so that a full Redis gains some.
local function forget(id, more)
  local row, circle = key('task', id), more.circle
  local caller = more.caller == '' and '-' or more.caller
  local bytes = tonumber(redis.call('HGET', row, 'bytes') or 0)
  redis.call('ZREM', shard .. ':expiry', id)
  redis.call('DEL', row)
  redis.call('ZREM', key('tasks', circle), id)
  redis.call('ZREM', key('tasks', circle .. ':' .. caller), id)
  free_key(id, more)
  if more.most then
    shrink_share(key('shares', circle), caller, bytes)
    if more.guests then
      shrink_share(key('shares', circle), '*', bytes)
    end
  end
end

-- Forgets up to `most` tasks whose time is over. Returns whether there may be more.
local function sweep(most)
  local ids = redis.call('ZRANGEBYSCORE', shard .. ':expiry', '-inf', now(), 'LIMIT', 0, most)
  for _, id in ipairs(ids) do
    local view = redis.call('HGET', key('task', id), 'view')
    if view then
      forget(id, cjson.decode(view))
    else
      redis.call('ZREM', shard .. ':expiry', id)
    end
  end
  return #ids == most
end

-- Outcomes up to this size are kept however full their caller's share is. The bound on tasks bounds them too.
local SMALL = 512

-- Returns whether a share takes so many bytes more. New tasks are refused once a share is full. Tasks that were
-- accepted before may fill it once more; outcomes that do not fit then are dropped.
local function has_room(shares, whose, most, bytes)
  return tonumber(redis.call('HGET', shares, 'bytes ' .. whose) or 0) + bytes <= 2 * most
end

-- Remembers how a task ended, with its outcome if its caller's share has room. A refused task is remembered for
-- `refused` milliseconds, without its key.
local function remember(id, task, state, outcome, time, refused)
  local row, more, shares, bytes = key('task', id), json_of(task), key('shares', task.circle), #outcome
  local fits = bytes <= SMALL or not more.most
    or (has_room(shares, task.caller, more.most, bytes) and (not more.guests or has_room(shares, '*', more.guests, bytes)))
  local till = time + (refused or more.remember)
  if not fits then
    redis.call('HSET', row, 'state', state, 'ended', time, 'until', till)
  else
    redis.call('HSET', row, 'state', state, 'ended', time, 'until', till, 'outcome', outcome, 'bytes', bytes)
    if more.most then
      redis.call('HINCRBY', shares, 'bytes ' .. task.caller, bytes)
      if more.guests then
        redis.call('HINCRBY', shares, 'bytes *', bytes)
      end
    end
  end
  redis.call('ZADD', key('tasks', task.circle), 0, id)
  redis.call('ZADD', key('tasks', task.circle .. ':' .. task.caller), 0, id)
  redis.call('ZADD', shard .. ':expiry', till, id)
  if refused then
    free_key(id, more)
  elseif more.key then
    redis.call('PEXPIRE', key('key', more.key), more.remember)
  end
end

-- Collects the results of a step, which `carry_out` carries out together: tasks that end, their records by circle,
-- outcomes by server, and members to remove from sorted sets, by their keys.
local function results()
  return { ended = {}, records = {}, answers = {}, gone = {} }
end

local function add_answer(results, server, id, outcome)
  local told = results.answers[server]
  if not told then
    told = {}
    results.answers[server] = told
  end
  told[#told + 1] = id
  told[#told + 1] = outcome
end

local function remove_from(results, set, id)
  local ids = results.gone[set] or {}
  ids[#ids + 1] = id
  results.gone[set] = ids
end

-- Ends a worker's hold on a task.
local function release(results, worker, id)
  remove_from(results, key('holds', worker), id)
end

-- Ends a task, with a record if it `leaves` one. Servers that wait are told the start from `task.began` or '-', the
-- end, and the outcome. A task that was `refused` is remembered for so many milliseconds, without its key.
local function finish(id, task, state, outcome, leaves, sha256, time, results, refused)
  results.ended[#results.ended + 1] = id
  if task.caller then
    remove_from(results, key('open', task.circle), id)
    remove_from(results, key('open', task.circle .. ':' .. task.caller), id)
  end
  if leaves then
    local more = json_of(task)
    local record = {
      task = id, caller = more.caller, via = more.via, sha256 = sha256, accepted = more.accepted, ended = time, state = state,
    }
    local records = results.records[task.circle] or {}
    records[#records + 1] = cjson.encode(record)
    results.records[task.circle] = records
  end
  if has_flag(task, 'k') then
    if refused == 0 then
      forget(id, json_of(task))
    else
      remember(id, task, state, outcome, time, refused)
    end
  end
  if task.server ~= '-' then
    local told = string.format('%s %.0f ', task.began or '-', time) .. outcome
    add_answer(results, task.server, id, told)
    for _, server in ipairs(has_flag(task, 'm') and json_of(task).servers or {}) do
      add_answer(results, server, id, told)
    end
  end
end

-- Carries out the results of a step. Servers are told the shard, then tasks and outcomes in turn, and these are kept
-- until the servers acknowledge them.
local function carry_out(results)
  for circle, records in pairs(results.records) do
    call_chunked('RPUSH', key('records', circle), records)
    redis.call('SADD', shard .. ':unsealed', circle)
  end
  for _, name in ipairs({ ':live', ':body', ':held' }) do
    call_chunked('HDEL', shard .. name, results.ended)
  end
  for set, ids in pairs(results.gone) do
    call_chunked('ZREM', set, ids)
  end
  for server, told in pairs(results.answers) do
    local kept = key('answers', server)
    call_chunked('HSET', kept, told)
    redis.call('PEXPIRE', kept, 3600000)
    redis.call('PUBLISH', 'circles:server:' .. server, cmsgpack.pack({ shard, told }))
  end
end

-- Takes a task out of its queue. A circle without queued tasks loses its turn.
local function dequeue(id, task)
  local queue = key('queue', task.circle)
  local taken = redis.call('LREM', queue, 1, id)
  redis.call('DECRBY', shard .. ':count', taken)
  if taken > 0 and redis.call('EXISTS', queue) == 0 then
    redis.call('LREM', key('turns', json_of(task).pool), 0, task.circle)
  end
end

-- Ends a task if it is queued and past its deadline. Returns whether it was.
local function expire_if_late(id, task, time, results)
  if task.deadline > time or redis.call('HEXISTS', shard .. ':held', id) == 1 then
    return false
  end
  dequeue(id, task)
  finish(id, task, 'TimedOut', '"TimedOut"', has_flag(task, 's'), nil, time, results)
  return true
end

-- Adds a server to those that are told of a task's end (`servers`) or of its log (`watchers`).
local function add_listener(id, task, who, server)
  if who == 'servers' and task.server == server then
    return
  end
  local list = json_of(task)[who] or {}
  for _, other in ipairs(list) do
    if other == server then
      return
    end
  end
  list[#list + 1] = server
  json_of(task)[who] = list
  if not has_flag(task, 'm') then
    task.flags = task.flags .. 'm'
  end
  save_task(id, task)
end

-- How many workers may die with a task before it ends as lost, since it may be what kills them.
local DEATHS = 2

-- Forgives a counted death: the worker of this claim lives.
local function forgive(id, epoch)
  local task = find_task(id)
  local deaths = task and json_of(task).deaths
  for at, death in ipairs(deaths or {}) do
    if death == epoch then
      table.remove(deaths, at)
      json_of(task).deaths = #deaths > 0 and deaths or nil
      save_task(id, task)
      return
    end
  end
end

-- Takes a claim back: its task is queued again, before others of its circle, or ends if it must not run again.
-- `has_died` says that the worker died. Returns whether the task is queued.
local function give_back(id, claim, results, has_died)
  local task = find_task(id)
  task.began = claim.began
  local marked = string.find(claim.flags, 'm', 1, true)
  release(results, claim.worker, id)
  if string.find(claim.flags, 'c', 1, true) then
    finish(id, task, 'Cancelled', '"Cancelled"', has_flag(task, 's') or marked ~= nil, nil, now(), results)
    return false
  end
  if marked and task.retried >= (json_of(task).retries or 0) then
    finish(id, task, 'Lost', '"Lost"', true, nil, now(), results)
    return false
  end
  if has_died then
    local deaths = json_of(task).deaths or {}
    deaths[#deaths + 1] = claim.epoch
    if #deaths >= DEATHS then
      finish(id, task, 'Lost', '"Lost"', has_flag(task, 's') or marked ~= nil, nil, now(), results)
      return false
    end
    json_of(task).deaths = deaths
  end
  redis.call('HDEL', shard .. ':held', id)
  if marked then
    task.retried = task.retried + 1
  end
  if marked or has_died then
    save_task(id, task)
  end
  if has_flag(task, 'k') then
    redis.call('HSET', key('task', id), 'state', 'Queued')
    redis.call('HDEL', key('task', id), 'started')
  end
  enqueue(task.circle, json_of(task).pool, { id }, true)
  return true
end
