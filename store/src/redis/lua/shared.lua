-- What the scripts of a shard have in common; it stands before each of them.
--
-- KEYS[1] is the shard: `circles:{NN}`, whose braces put all of it into one slot (Redis Cluster specification,
-- "Hash tags"). Every key below begins with it, so that it names them all:
--
--   :live              hash    task → what the scripts have to know of it, as JSON; from acceptance to its end
--   :body              hash    task → the task itself, which no script reads
--   :held              hash    task → worker, epoch, when it began, whether it is marked, how often it was retried
--   :epoch             string  the last epoch handed out
--   :workers           hash    worker → its last claim, to answer it again
--   :leases            zset    worker → when its lease ends, in milliseconds of this Redis
--   :count             hash    circle → how many of its tasks wait, and `*` → how many of all
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

-- Lets workers have a task, at the end of its circle's queue or in front.
local function enqueue(id, meta, in_front)
  local queue = key('queue', meta.circle)
  if redis.call('EXISTS', queue) == 0 then
    redis.call('RPUSH', key('turns', meta.pool), meta.circle)
    redis.call('SADD', shard .. ':pools', meta.pool)
    redis.call('PUBLISH', shard .. ':hint', meta.pool)
  end
  redis.call(in_front and 'LPUSH' or 'RPUSH', queue, id)
  redis.call('HINCRBY', shard .. ':count', '*', 1)
  redis.call('HINCRBY', shard .. ':count', meta.circle, 1)
end

-- Takes note that a task of a circle no longer waits.
local function dequeued(circle)
  redis.call('HINCRBY', shard .. ':count', '*', -1)
  if redis.call('HINCRBY', shard .. ':count', circle, -1) <= 0 then
    redis.call('HDEL', shard .. ':count', circle)
  end
end

-- Ends a task: its outcome, its record if it `leaves` one, and what those are told who asked.
-- `answers` collects, by server, what is published when the script ends.
local function finish(id, meta, state, outcome, leaves, sha256, time, answers)
  redis.call('HDEL', shard .. ':live', id)
  redis.call('HDEL', shard .. ':body', id)
  redis.call('HDEL', shard .. ':held', id)
  if leaves then
    local record = {
      task = id, caller = meta.caller, sha256 = sha256, accepted = meta.accepted, ended = time, state = state,
    }
    redis.call('RPUSH', key('records', meta.circle), cjson.encode(record))
    redis.call('SADD', shard .. ':unsealed', meta.circle)
  end
  if meta.kept then
    local task = key('task', id)
    redis.call('HSET', task, 'state', state, 'outcome', outcome, 'ended', time)
    redis.call('PEXPIRE', task, meta.remember)
    if meta.key then
      redis.call('PEXPIRE', meta.key, meta.remember)
    end
  end
  for _, server in ipairs(meta.servers) do
    local kept = key('answers', server)
    redis.call('HSET', kept, id, outcome)
    redis.call('PEXPIRE', kept, 3600000)
    local told = answers[server]
    if not told then
      told = {}
      answers[server] = told
    end
    told[#told + 1] = id
    told[#told + 1] = outcome
  end
end

-- Ends a task whose deadline has passed in the queue; whether it has.
local function is_late(id, meta, time, answers)
  if meta.deadline > time or redis.call('HEXISTS', shard .. ':held', id) == 1 then
    return false
  end
  if redis.call('LREM', key('queue', meta.circle), 1, id) > 0 then
    dequeued(meta.circle)
  end
  finish(id, meta, 'TimedOut', '"TimedOut"', meta.submitted, nil, time, answers)
  return true
end

-- Tells servers what they wait for: the shard, then tasks and outcomes in turn.
local function tell(answers)
  for server, told in pairs(answers) do
    redis.call('PUBLISH', 'circles:server:' .. server, cmsgpack.pack({ shard, told }))
  end
end

-- What a claim is known by: worker, epoch, when it began, whether it is marked, how often it was retried.
local function held(id)
  local found = redis.call('HGET', shard .. ':held', id)
  if not found then
    return nil
  end
  return cjson.decode(found)
end

-- Has a server told of the end of a task, too (`servers`), or of what it logs (`watchers`).
local function await(id, meta, who, server)
  local known = meta[who] or {}
  for _, other in ipairs(known) do
    if other == server then
      return
    end
  end
  known[#known + 1] = server
  meta[who] = known
  redis.call('HSET', shard .. ':live', id, cjson.encode(meta))
end

local function hold(id, claim)
  redis.call('HSET', shard .. ':held', id, cjson.encode(claim))
end

-- Takes a claim back: its task waits again, before others of its circle, or ends if it must not be run again.
-- Returns whether it waits.
local function give_back(id, claim)
  local meta = cjson.decode(redis.call('HGET', shard .. ':live', id))
  local answers = {}
  local waits = false
  if claim.cancelled then
    finish(id, meta, 'Cancelled', '"Cancelled"', meta.submitted or claim.marked, nil, now(), answers)
  elseif claim.marked and claim.retried >= (meta.retries or 0) then
    finish(id, meta, 'Lost', '"Lost"', true, nil, now(), answers)
  else
    if claim.marked then
      meta.retried = claim.retried + 1
      redis.call('HSET', shard .. ':live', id, cjson.encode(meta))
    end
    redis.call('HDEL', shard .. ':held', id)
    if meta.kept then
      redis.call('HSET', key('task', id), 'state', 'Queued')
    end
    enqueue(id, meta, true)
    waits = true
  end
  tell(answers)
  return waits
end
