-- Ends a play as its worker says, and makes what it wrote stay, in one step.
--
-- ARGV: the worker; then, for each play, five: its name; the epoch of its claim, or '' for a play that the worker
-- took upon itself and that was never queued; what is known of such a play (JSON), else ''; the outcome; and how it
-- was come to: '' if it neither read nor wrote and is not remembered, else packed as MessagePack: { state, leaves a
-- record, SHA-256 in hexadecimal or false, version read or false, keys read, ranges read, writes, most bytes of the
-- circle }. A range is { first, past, last, past }, where each `past` says whether the key before it is past the
-- border, and '' as last is no border. Writes are keys and documents in turn, where false deletes.
-- Returns for each: 'recorded'; 'gone' if the claim is no longer the worker's; 'overtaken' if what it read was
-- changed: then it has the right of way when it was run again; 'later' if another play has it; 'full' if the circle
-- has no room for what it wrote. All but the first change nothing.

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

-- Circles as they will be once all plays of this step are settled: `circle_at` reads one when it is first asked for,
-- `write_down` writes those that have changed.
local circles = {}

local function circle_at(circle)
  local found = circles[circle]
  if not found then
    local version, floor, bytes, undo = version_of(circle)
    found = {
      version = version, floor = floor, bytes = bytes, undo = undo, before = version,
      way = redis.call('GET', key('way', circle)), undos = {},
    }
    circles[circle] = found
  end
  return found
end

-- Whether anything that was read has changed since.
local function overtaken(circle, read, keys, ranges)
  local at = circle_at(circle)
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

-- How many versions can be gone back, how many bytes of what they replaced are kept for that, and for how many
-- milliseconds after the last. Who read before that counts as overtaken.
local VERSIONS, UNDO_BYTES, UNDO_TIME = 256, 1048576, 300000

-- Changes documents; whether they have room.
local function apply(circle, writes, most)
  local at = circle_at(circle)
  local names = {}
  for index = 1, #writes, 2 do
    names[#names + 1] = writes[index]
  end
  local documents, keys = key('documents', circle), key('keys', circle)
  local undo, set, new, gone, grows = {}, {}, {}, {}, 0
  for index, before in ipairs(fields(documents, names)) do
    local name, value = names[index], writes[2 * index]
    undo[#undo + 1] = name
    undo[#undo + 1] = before
    if before then
      grows = grows - #before - #name
    end
    if value then
      grows = grows + #value + #name
      set[#set + 1] = name
      set[#set + 1] = value
    else
      gone[#gone + 1] = name
    end
    if value and not before then
      new[#new + 1] = 0
      new[#new + 1] = name
    end
  end
  if grows > 0 and at.bytes + grows > most then
    return false
  end
  each('HSET', documents, set)
  each('ZADD', keys, new)
  each('HDEL', documents, gone)
  each('ZREM', keys, gone)
  at.version, at.bytes, at.undos[at.version + 1] = at.version + 1, at.bytes + grows, undo
  return true
end

local function write_down(circle, at)
  local undone = key('undo', circle)
  if at.floor == at.before then
    redis.call('DEL', undone)
    at.undo = 0
  end
  local packed, kept = {}, {}
  for version = at.before + 1, at.version do
    packed[version] = cmsgpack.pack(at.undos[version])
    at.undo = at.undo + #packed[version]
  end
  local gone = {}
  while at.floor < at.version and (at.version - at.floor > VERSIONS or at.undo > UNDO_BYTES) do
    at.floor = at.floor + 1
    local of_ours = packed[at.floor]
    at.undo = at.undo - (of_ours and #of_ours or redis.call('HSTRLEN', undone, at.floor))
    if of_ours then
      packed[at.floor] = nil
    else
      gone[#gone + 1] = at.floor
    end
  end
  for version, undo in pairs(packed) do
    kept[#kept + 1] = version
    kept[#kept + 1] = undo
  end
  each('HSET', undone, kept)
  each('HDEL', undone, gone)
  redis.call('PEXPIRE', undone, UNDO_TIME)
  redis.call('HSET', key('circle', circle), 'version', at.version, 'floor', at.floor, 'bytes', at.bytes, 'undo', at.undo)
end

-- For how many milliseconds an overtaken play has the right of way.
local WAY = 500
-- For how many milliseconds beyond its time the same settlement may come again of a play that was never queued: its
-- worker sends it again until the deadline, and the last of these may take a while.
local AGAIN = 120000

-- Applies what a play did to its circle's documents; if that cannot be, why not.
local function commit(id, circle, read, keys, ranges, writes, most)
  if not read and #writes == 0 then
    return nil
  end
  local at = circle_at(circle)
  local has_way = #writes > 0 and at.way
  if has_way and has_way ~= id then
    return 'later'
  end
  if read and overtaken(circle, read, keys, ranges) then
    redis.call('SET', key('way', circle), id, 'PX', WAY)
    at.way = id
    return 'overtaken'
  end
  if #writes > 0 and not apply(circle, writes, most) then
    return 'full'
  end
  if has_way then
    redis.call('DEL', key('way', circle))
    at.way = false
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
    finish(id, task, 'Succeeded', outcome, false, nil, time, results)
    return 'recorded'
  end
  local state, leaves, sha256, read, keys, ranges, writes, most = unpack(cmsgpack.unpack(how), 1, 8)
  local why_not = commit(id, task.circle, read, keys, ranges, writes, most)
  if why_not then
    return why_not
  end
  finish(id, task, state, outcome, leaves, sha256 or nil, time, results)
  if epoch == '' then
    redis.call('SET', key('done', id), '1', 'PX', AGAIN + rest(task).timeout)
  end
  return 'recorded'
end

for index = 1, #ids do
  replies[index] = settle(index, unpack(ARGV, 5 * index - 3, 5 * index + 1))
  over[ids[index]] = replies[index] == 'recorded'
end
for circle, at in pairs(circles) do
  if at.version > at.before then
    write_down(circle, at)
  end
end
tell(results)
return replies
