-- Ends a play as its worker says, and makes what it wrote stay, in one step.
--
-- ARGV: the worker; then, for each play, five: its name; the epoch of its claim, or '' for a play that the worker
-- took upon itself and that was never queued; what is known of such a play (JSON), else ''; the outcome; and how it
-- was come to: '' if it neither read nor wrote and is not remembered, else packed as MessagePack: { state, leaves a record, SHA-256 in hexadecimal or false, version read or
-- false, keys read, ranges read, writes, most bytes of the circle }. A range is { first, past, last, past }, where
-- each `past` says whether the key before it is past the border, and '' as last is no border. Writes are keys and
-- documents in turn, where false deletes.
-- Returns for each: 'recorded'; 'gone' if the claim is no longer the worker's; 'overtaken' if what it read was
-- changed: then it has the right of way when it was run again; 'later' if another play has it; 'full' if the circle
-- has no room for what it wrote. All but the first change nothing.

local worker = ARGV[1]
local replies, results = {}, results()

local function within(name, range)
  local first, after_first, last, before_last = unpack(range)
  if is_less(name, first) or (after_first and name == first) then
    return false
  end
  return last == '' or is_less(name, last) or (not before_last and name == last)
end

-- Whether anything that was read has changed since.
local function overtaken(circle, read, keys, ranges)
  local version, floor = version_of(circle)
  if read < floor then
    return true
  end
  local wanted = {}
  for _, name in ipairs(keys) do
    wanted[name] = true
  end
  for later = read + 1, version do
    local undo = undo_of(circle, later)
    for index = 1, #undo, 2 do
      if wanted[undo[index]] then
        return true
      end
      for _, range in ipairs(ranges) do
        if within(undo[index], range) then
          return true
        end
      end
    end
  end
  return false
end

-- By how many bytes the documents of a circle grow.
local function growth(circle, writes)
  local documents = key('documents', circle)
  local grows = 0
  for index = 1, #writes, 2 do
    local name, value = writes[index], writes[index + 1]
    local before = redis.call('HSTRLEN', documents, name)
    if before > 0 then
      grows = grows - before - #name
    end
    if value then
      grows = grows + #value + #name
    end
  end
  return grows
end

-- How many versions can be gone back, how many bytes of what they replaced are kept for that, and for how many
-- milliseconds after the last. Who read before that counts as overtaken.
local VERSIONS, UNDO_BYTES, UNDO_TIME = 256, 1048576, 300000

local function apply(circle, writes, grows)
  local state = key('circle', circle)
  local documents, keys, undone = key('documents', circle), key('keys', circle), key('undo', circle)
  local _, floor = version_of(circle)
  local version = redis.call('HINCRBY', state, 'version', 1)
  redis.call('HINCRBY', state, 'bytes', grows)
  local undo = {}
  for index = 1, #writes, 2 do
    local name, value = writes[index], writes[index + 1]
    undo[index] = name
    undo[index + 1] = redis.call('HGET', documents, name)
    if value then
      redis.call('HSET', documents, name, value)
      redis.call('ZADD', keys, 0, name)
    else
      redis.call('HDEL', documents, name)
      redis.call('ZREM', keys, name)
    end
  end
  local packed = cmsgpack.pack(undo)
  local bytes = #packed
  if floor < version - 1 then
    bytes = bytes + tonumber(redis.call('HGET', state, 'undo') or 0)
  else
    redis.call('DEL', undone)
  end
  redis.call('HSET', undone, version, packed)
  while floor < version and (version - floor > VERSIONS or bytes > UNDO_BYTES) do
    floor = floor + 1
    bytes = bytes - redis.call('HSTRLEN', undone, floor)
    redis.call('HDEL', undone, floor)
  end
  redis.call('PEXPIRE', undone, UNDO_TIME)
  redis.call('HSET', state, 'floor', floor, 'undo', bytes)
end

-- For how many milliseconds an overtaken play has the right of way.
local WAY = 500
-- For how many milliseconds beyond its time the same settlement may come again of a play that was never queued: its
-- worker sends it again until the deadline, and the last of these may take a while.
local AGAIN = 120000

-- Applies what a play did to its circle's documents; if that cannot be, why not.
local function commit(id, circle, read, keys, ranges, writes, most)
  local way = key('way', circle)
  local has_way = #writes > 0 and redis.call('GET', way)
  if has_way and has_way ~= id then
    return 'later'
  end
  if read and overtaken(circle, read, keys, ranges) then
    redis.call('SET', way, id, 'PX', WAY)
    return 'overtaken'
  end
  if #writes > 0 then
    local grows = growth(circle, writes)
    local bytes = tonumber(redis.call('HGET', key('circle', circle), 'bytes') or 0)
    if grows > 0 and bytes + grows > most then
      return 'full'
    end
    apply(circle, writes, grows)
  end
  if has_way then
    redis.call('DEL', way)
  end
end

-- Of the plays that were queued: how they are held, and what is known of them.
local ids, claims, lives = {}, {}, {}
for at = 2, #ARGV, 5 do
  ids[#ids + 1] = ARGV[at]
end
if #ids > 0 then
  claims, lives = fields(shard .. ':held', ids), fields(shard .. ':live', ids)
end

-- Those that this step has ended.
local over = {}

local function settle(index, id, epoch, told, outcome, how)
  local task
  if epoch == '' then
    if redis.call('EXISTS', key('done', id)) == 1 then
      return 'recorded'
    end
    local more = cjson.decode(told)
    task = { flags = '-', server = '-', circle = more.circle, rest = more }
  else
    local ours = epoch .. ' ' .. worker .. ' '
    if over[id] or not claims[index] or string.sub(claims[index], 1, #ours) ~= ours then
      return 'gone'
    end
    task = parse(lives[index])
  end
  if how == '' then
    finish(id, task, 'Succeeded', outcome, false, nil, nil, results)
    return 'recorded'
  end
  local state, leaves, sha256, read, keys, ranges, writes, most = unpack(cmsgpack.unpack(how), 1, 8)
  local why_not = commit(id, task.circle, read, keys, ranges, writes, most)
  if why_not then
    return why_not
  end
  finish(id, task, state, outcome, leaves, sha256 or nil, now(), results)
  if epoch == '' then
    redis.call('SET', key('done', id), '1', 'PX', AGAIN + rest(task).timeout)
  end
  return 'recorded'
end

for index = 1, #ids do
  replies[index] = settle(index, unpack(ARGV, 5 * index - 3, 5 * index + 1))
  over[ids[index]] = replies[index] == 'recorded'
end
tell(results)
return replies
