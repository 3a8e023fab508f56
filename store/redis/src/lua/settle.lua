-- Ends plays as their worker says, and commits what they wrote, in one step.
--
-- ARGV: the worker; then, for each play, five: its id; the epoch of its claim, or '' for a play that another play
-- called and that was never queued; the description of such a play (JSON), else ''; the outcome; and the details, or ''
-- if the play neither read nor wrote and is not remembered. Details are MessagePack: { state, leaves a record, SHA-256
-- in hexadecimal or false, version read or false, keys read, ranges read, writes, most bytes of the circle, for a
-- refused play the milliseconds for which it is remembered without its key, else false }.
-- A range is { first, is outside, last, is outside }, where each flag says whether the key before it is outside of the
-- range, and '' as last means no bound. Ranges are in order and do not overlap. Writes are keys and documents in turn,
-- where false deletes.
-- Returns for each play: 'recorded'; 'gone' if the worker no longer holds the task; 'overtaken' if a document that it
-- read has changed: then its next run has priority; 'later' if another play has priority; 'full' if the circle has no
-- room for the writes. All but the first change nothing.
--
-- Cost: for each play about 25 commands; for each document that it writes 3, and the document's bytes. A circle's
-- limits `db_writes` and `db_write_bytes` bound these, and a worker sends no more than about 1,000 documents and 1 MiB
-- together unless one play has more. The reads of a play are compared with at most `UNDO_BYTES / ENTRY` changed keys. A
-- step that has looked at `LOOKS` answers 'later' to the others.

local worker = ARGV[1]
local time = now()
local replies, results = {}, results()

local function within(name, range)
  local first, after_first, last, before_last = unpack(range)
  if is_less(name, first) or (after_first and name == first) then
    return false
  end
  return last == '' or is_less(name, last) or (not before_last and name == last)
end

-- Circles as they will be once all plays of this step are settled: `circle_state` reads one when it is first used, and
-- `save_circle` writes those that have changed.
local circles = {}

local function circle_state(circle)
  local found = circles[circle]
  if not found then
    local version, floor, bytes, undo = version_of(circle)
    found = {
      version = version, floor = floor, bytes = bytes, undo = undo, before = version,
      way = redis.call('GET', key('way', circle)), undos = {}, weights = {},
    }
    circles[circle] = found
  end
  return found
end

-- How many changed keys a step looks at before it leaves the remaining plays for later, and how many it has looked at.
local LOOKS, looked = 2000, 0

-- Returns whether a key is in one of the ranges, which are in order.
local function is_in(name, ranges)
  local low, high = 1, #ranges
  while low <= high do
    local middle = math.floor((low + high) / 2)
    if within(name, ranges[middle]) then
      return true
    end
    if is_less(name, ranges[middle][1]) or name == ranges[middle][1] then
      high = middle - 1
    else
      low = middle + 1
    end
  end
  return false
end

-- Returns whether a document that was read has changed since.
local function has_conflict(circle, read, keys, ranges)
  local at = circle_state(circle)
  if read < at.floor then
    return true
  end
  if read == at.version then
    return false
  end
  local wanted = {}
  for _, name in ipairs(keys) do
    wanted[name] = true
  end
  for later = read + 1, at.version do
    local undo = at.undos[later] or undo_of(circle, later)
    looked = looked + #undo / 2
    for index = 1, #undo, 2 do
      if wanted[undo[index]] or is_in(undo[index], ranges) then
        return true
      end
    end
  end
  return false
end

-- How many earlier versions can be read, how many bytes of replaced documents are kept for that, and for how many
-- milliseconds after the last change. A play that read an older version conflicts. Each document counts as `ENTRY`
-- bytes more, since each is looked at.
local VERSIONS, UNDO_BYTES, UNDO_TIME, ENTRY = 256, 1048576, 300000, 512

-- Changes documents. Returns whether the circle has room for them.
local function apply_writes(circle, writes, most)
  local at = circle_state(circle)
  local names = {}
  for index = 1, #writes, 2 do
    names[#names + 1] = writes[index]
  end
  local documents, keys = key('documents', circle), key('keys', circle)
  local sizes, weight = {}, 0
  for index, name in ipairs(names) do
    sizes[index] = redis.call('HSTRLEN', documents, name)
    weight = weight + sizes[index] + #name + ENTRY
  end
  -- Replaced documents that are too large to keep are not even read. Older versions cannot be read then.
  local is_kept = weight <= UNDO_BYTES
  local before = is_kept and fields(documents, names) or {}
  local undo, set, new, gone, grows = {}, {}, {}, {}, 0
  for index, name in ipairs(names) do
    local value, was_there = writes[2 * index], sizes[index] > 0
    undo[#undo + 1] = name
    undo[#undo + 1] = before[index] or false
    if was_there then
      grows = grows - sizes[index] - #name
    end
    if value then
      grows = grows + #value + #name
      set[#set + 1] = name
      set[#set + 1] = value
    else
      gone[#gone + 1] = name
    end
    if value and not was_there then
      new[#new + 1] = 0
      new[#new + 1] = name
    end
  end
  if grows > 0 and at.bytes + grows > most then
    return false
  end
  call_chunked('HSET', documents, set)
  call_chunked('ZADD', keys, new)
  call_chunked('HDEL', documents, gone)
  call_chunked('ZREM', keys, gone)
  at.version, at.bytes = at.version + 1, at.bytes + grows
  if is_kept then
    at.undos[at.version], at.weights[at.version] = undo, weight
  else
    at.floor = at.version
  end
  return true
end

local function save_circle(circle, at)
  local undone = key('undo', circle)
  if at.floor >= at.before then
    redis.call('DEL', undone)
    at.undo = 0
  end
  for version = math.max(at.before, at.floor) + 1, at.version do
    at.undo = at.undo + at.weights[version]
  end
  local kept, gone = {}, {}
  while at.floor < at.version and (at.version - at.floor > VERSIONS or at.undo > UNDO_BYTES) do
    at.floor = at.floor + 1
    local weight = at.weights[at.floor]
    if not weight then
      weight = tonumber(redis.call('HGET', undone, 'w' .. at.floor) or redis.call('HSTRLEN', undone, at.floor))
      gone[#gone + 1] = at.floor
      gone[#gone + 1] = 'w' .. at.floor
    end
    at.undo = at.undo - weight
  end
  for version = math.max(at.before, at.floor) + 1, at.version do
    kept[#kept + 1] = version
    kept[#kept + 1] = cmsgpack.pack(at.undos[version])
    kept[#kept + 1] = 'w' .. version
    kept[#kept + 1] = at.weights[version]
  end
  call_chunked('HSET', undone, kept)
  call_chunked('HDEL', undone, gone)
  redis.call('PEXPIRE', undone, UNDO_TIME)
  redis.call('HSET', key('circle', circle), 'version', at.version, 'floor', at.floor, 'bytes', at.bytes, 'undo', at.undo)
end

-- Milliseconds of priority that a play has after a conflict.
local PRIORITY_TIME = 500
-- Milliseconds past its deadline in which the settlement of a play that was never queued may arrive again: its worker
-- resends it until the deadline, and the last one may take a while.
local RESEND_TIME = 120000

-- Validates what a play read and applies what it wrote. Returns the reason if that cannot be.
local function commit(id, circle, read, keys, ranges, writes, most)
  if not read and #writes == 0 then
    return nil
  end
  local at = circle_state(circle)
  local has_way = #writes > 0 and at.way
  if has_way and has_way ~= id then
    return 'later'
  end
  if read and looked > LOOKS then
    return 'later'
  end
  if read and has_conflict(circle, read, keys, ranges) then
    redis.call('SET', key('way', circle), id, 'PX', PRIORITY_TIME)
    at.way = id
    return 'overtaken'
  end
  if #writes > 0 and not apply_writes(circle, writes, most) then
    return 'full'
  end
  if has_way then
    redis.call('DEL', key('way', circle))
    at.way = false
  end
end

-- How the queued plays are held, and their descriptions.
local ids, claims, lives = {}, {}, {}
for at = 2, #ARGV, 5 do
  ids[#ids + 1] = ARGV[at]
end
if #ids > 0 then
  claims, lives = fields(shard .. ':held', ids), fields(shard .. ':live', ids)
end

-- Plays that this step has ended.
local over = {}

local function settle(index, id, epoch, told, outcome, how)
  local task
  if epoch == '' then
    if redis.call('EXISTS', key('done', id)) == 1 then
      return 'recorded'
    end
    local more = cjson.decode(told)
    task = { flags = '-', server = '-', circle = more.circle, json = more }
  else
    local ours = epoch .. ' ' .. worker .. ' '
    if over[id] or not claims[index] or string.sub(claims[index], 1, #ours) ~= ours then
      forgive(id, epoch)
      return 'gone'
    end
    task = parse(lives[index])
    task.began = string.match(claims[index], '^%S+ %S+ %S+ (%d+)')
  end
  if how == '' then
    release(results, worker, id)
    finish(id, task, 'Succeeded', outcome, false, nil, time, results)
    return 'recorded'
  end
  local state, leaves, sha256, read, keys, ranges, writes, most, refused = unpack(cmsgpack.unpack(how), 1, 9)
  local why_not = commit(id, task.circle, read, keys, ranges, writes, most)
  if why_not then
    return why_not
  end
  if epoch ~= '' then
    release(results, worker, id)
  end
  finish(id, task, state, outcome, leaves, sha256 or nil, time, results, refused)
  if epoch == '' then
    redis.call('SET', key('done', id), '1', 'PX', RESEND_TIME + json_of(task).timeout)
  end
  return 'recorded'
end

for index = 1, #ids do
  replies[index] = settle(index, unpack(ARGV, 5 * index - 3, 5 * index + 1))
  over[ids[index]] = replies[index] == 'recorded'
end
for circle, at in pairs(circles) do
  if at.version > at.before then
    save_circle(circle, at)
  end
end
carry_out(results)
return replies
