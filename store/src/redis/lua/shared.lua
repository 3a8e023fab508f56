-- What the scripts of a shard have in common; it stands before each of them.
--
-- KEYS[1] is the shard: `circles:{NN}`, whose braces put all of it into one slot (Redis Cluster specification,
-- "Hash tags"). Every key below begins with it, so that it names them all:
--
--   :live              hash    task → what the scripts have to know of it, from acceptance to its end: see `parse`
--   :body              hash    task → the task itself, which no script reads
--   :held              hash    task → how it is held by a worker: see `held`
--   :epoch             string  the last epoch handed out
--   :workers           hash    worker → the number of its last claim and the tasks, to answer it again
--   :leases            zset    worker → when its lease ends, in milliseconds of this Redis
--   :count             string  how many tasks wait
--   :turns:POOL        list    circles of which tasks wait, each once
--   :pools             set     pools of which tasks have waited
--   :queue:CIRCLE      list    tasks that wait
--   :answers:SERVER    hash    task → outcome, until the server that asked has it
--   :key:CIRCLE:…      hash    idempotency key → task, and the call that it stands for
--   :task:TASK         hash    a task that is remembered: its view, and the outcome
--   :tasks:CIRCLE      zset    tasks that are remembered, all of score 0, so in the order of their names
--   :documents:CIRCLE  hash    key → document
--   :keys:CIRCLE       zset    the keys, all of score 0, so in the order of their bytes
--   :undo:CIRCLE       hash    version → keys that it changed and what they held before, for the latest versions
--   :circle:CIRCLE     hash    version, floor (the last version whose :undo is gone), bytes, undo (bytes of :undo)
--   :way:CIRCLE        string  the play that was overtaken and has the right of way, for a moment
--   :done:TASK         string  there for a while once a play has ended that was never queued
--   :records:CIRCLE    list    provenance records that are not sealed
--   :seals:CIRCLE      list    those that are
--   :unsealed          set     circles of which some are not
--   :hint              channel pools of which tasks wait, for workers that take only some circles' tasks
--
-- Scripts look at everything before they change anything: an error leaves all as it was. Each may be sent twice
-- and does its work once.

local shard = KEYS[1]

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function key(name, of)
  return shard .. ':' .. name .. ':' .. of
end

-- Whether one text comes before another by its bytes. Lua's own order is the locale's of the server.
local function is_less(one, other)
  for at = 1, math.min(#one, #other) do
    local left, right = string.byte(one, at), string.byte(other, at)
    if left ~= right then
      return left < right
    end
  end
  return #one < #other
end

-- Which version a circle's documents are at, and the last one that cannot be gone back behind.
local function version_of(circle)
  local state = redis.call('HMGET', key('circle', circle), 'version', 'floor')
  local version, floor = tonumber(state[1] or 0), tonumber(state[2] or 0)
  if version > floor and redis.call('EXISTS', key('undo', circle)) == 0 then
    floor = version
  end
  return version, floor
end

-- What a version changed: keys and what they held before, in turn.
local function undo_of(circle, version)
  return cmsgpack.unpack(redis.call('HGET', key('undo', circle), version))
end

-- Calls a command with many values, a thousand at a time: more do not fit on Lua's stack. Returns what the last call
-- did.
local function each(command, name, values)
  local last
  for from = 1, #values, 1000 do
    last = redis.call(command, name, unpack(values, from, math.min(from + 999, #values)))
  end
  return last
end

-- The fields of a hash, in order, false for those that are not there.
local function fields(name, names)
  local values = {}
  for from = 1, #names, 1000 do
    for _, value in ipairs(redis.call('HMGET', name, unpack(names, from, math.min(from + 999, #names)))) do
      values[#values + 1] = value
    end
  end
  return values
end

-- What is known of a task: words, and behind them JSON that most steps need not look at. The words are its
-- deadline in milliseconds of this Redis; flags: `k` if it is remembered after its end, `s` if it was submitted, `m`
-- if more than one server or somebody who watches is to be told; how often it was retried; the server that is told of
-- its end; its circle.
local function parse(value)
  local deadline, flags, retried, server, circle, at =
    string.match(value, '^(%d+) (%S+) (%d+) (%S+) (%S+) ()')
  return {
    deadline = tonumber(deadline), flags = flags, retried = tonumber(retried), server = server, circle = circle,
    at = at, value = value,
  }
end

local function is(task, flag)
  return string.find(task.flags, flag, 1, true) ~= nil
end

-- The JSON of a task.
local function rest(task)
  if not task.rest then
    task.rest = cjson.decode(string.sub(task.value, task.at))
  end
  return task.rest
end

local function known(id)
  local value = redis.call('HGET', shard .. ':live', id)
  return value and parse(value)
end

-- Keeps what has changed of a task.
local function keep(id, task)
  local head = string.format('%.0f %s %d %s %s ', task.deadline, task.flags, task.retried, task.server, task.circle)
  redis.call('HSET', shard .. ':live', id, head .. (task.rest and cjson.encode(task.rest) or string.sub(task.value, task.at)))
end

-- How a task is held: the epoch of its claim, the worker, the number of the worker's claim, when it began, and flags:
-- `m` if it is marked, `c` if somebody has cancelled it.
local function held(value)
  if not value then
    return nil
  end
  local epoch, worker, number, began, flags = string.match(value, '^(%d+) (%S+) (%d+) (%d+) (%S+)$')
  return { epoch = epoch, worker = worker, number = number, began = began, flags = flags }
end

local function hold(id, claim)
  local words = { claim.epoch, claim.worker, claim.number, claim.began, claim.flags }
  redis.call('HSET', shard .. ':held', id, table.concat(words, ' '))
end

-- Lets workers have tasks of a circle, at the end of its queue or in front.
local function enqueue(circle, pool, ids, in_front)
  if each(in_front and 'LPUSH' or 'RPUSH', key('queue', circle), ids) == #ids then
    redis.call('RPUSH', key('turns', pool), circle)
    redis.call('SADD', shard .. ':pools', pool)
    redis.call('PUBLISH', shard .. ':hint', pool)
  end
  redis.call('INCRBY', shard .. ':count', #ids)
end

-- What a step brings about, carried out together by `tell`: tasks that end, and what servers are told.
local function results()
  return { ended = {}, answers = {} }
end

local function answer(results, server, id, outcome)
  local told = results.answers[server]
  if not told then
    told = {}
    results.answers[server] = told
  end
  told[#told + 1] = id
  told[#told + 1] = outcome
end

-- Ends a task: its outcome, its record if it `leaves` one, and what those are told who asked.
local function finish(id, task, state, outcome, leaves, sha256, time, results)
  results.ended[#results.ended + 1] = id
  if leaves then
    local more = rest(task)
    local record = {
      task = id, caller = more.caller, sha256 = sha256, accepted = more.accepted, ended = time, state = state,
    }
    redis.call('RPUSH', key('records', task.circle), cjson.encode(record))
    redis.call('SADD', shard .. ':unsealed', task.circle)
  end
  if is(task, 'k') then
    local remembered, more = key('task', id), rest(task)
    redis.call('HSET', remembered, 'state', state, 'outcome', outcome, 'ended', time)
    redis.call('PEXPIRE', remembered, more.remember)
    if more.key then
      redis.call('PEXPIRE', key('key', more.key), more.remember)
    end
  end
  if task.server ~= '-' then
    answer(results, task.server, id, outcome)
  end
  if is(task, 'm') then
    for _, server in ipairs(rest(task).servers or {}) do
      answer(results, server, id, outcome)
    end
  end
end

-- Carries out what a step brought about. Servers are told the shard, then tasks and outcomes in turn; that is kept
-- until they say that they have it.
local function tell(results)
  for _, name in ipairs({ ':live', ':body', ':held' }) do
    each('HDEL', shard .. name, results.ended)
  end
  for server, told in pairs(results.answers) do
    local kept = key('answers', server)
    each('HSET', kept, told)
    redis.call('PEXPIRE', kept, 3600000)
    redis.call('PUBLISH', 'circles:server:' .. server, cmsgpack.pack({ shard, told }))
  end
end

-- Takes a task out of its queue. A circle of which none waits any more has no turn.
local function take_out(id, task)
  local queue = key('queue', task.circle)
  local taken = redis.call('LREM', queue, 1, id)
  redis.call('DECRBY', shard .. ':count', taken)
  if taken > 0 and redis.call('EXISTS', queue) == 0 then
    redis.call('LREM', key('turns', rest(task).pool), 0, task.circle)
  end
end

-- Ends a task whose deadline has passed in the queue; whether it has.
local function is_late(id, task, time, results)
  if task.deadline > time or redis.call('HEXISTS', shard .. ':held', id) == 1 then
    return false
  end
  take_out(id, task)
  finish(id, task, 'TimedOut', '"TimedOut"', is(task, 's'), nil, time, results)
  return true
end

-- Has a server told of the end of a task, too (`servers`), or of what it logs (`watchers`).
local function await(id, task, who, server)
  if who == 'servers' and task.server == server then
    return
  end
  local list = rest(task)[who] or {}
  for _, other in ipairs(list) do
    if other == server then
      return
    end
  end
  list[#list + 1] = server
  rest(task)[who] = list
  if not is(task, 'm') then
    task.flags = task.flags .. 'm'
  end
  keep(id, task)
end

-- Takes a claim back: its task waits again, before others of its circle, or ends if it must not be run again.
-- Returns whether it waits.
local function give_back(id, claim, results)
  local task = known(id)
  local marked = string.find(claim.flags, 'm', 1, true)
  if string.find(claim.flags, 'c', 1, true) then
    finish(id, task, 'Cancelled', '"Cancelled"', is(task, 's') or marked ~= nil, nil, now(), results)
    return false
  end
  if marked and task.retried >= (rest(task).retries or 0) then
    finish(id, task, 'Lost', '"Lost"', true, nil, now(), results)
    return false
  end
  if marked then
    task.retried = task.retried + 1
    keep(id, task)
  end
  redis.call('HDEL', shard .. ':held', id)
  if is(task, 'k') then
    redis.call('HSET', key('task', id), 'state', 'Queued')
  end
  enqueue(task.circle, rest(task).pool, { id }, true)
  return true
end
