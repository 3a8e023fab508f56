-- Reads documents as they were at a version.
--
-- ARGV: for each read, six: the circle; the version, or '' for the present one; then either 'get', the key, and two
-- that are ignored, or 'scan', the bounds of a range as ZRANGEBYLEX takes them, and the most documents.
-- Returns for each read: the version, then for 'get' the document, and for 'scan' keys and documents in turn, followed
-- by 1 if the range may have more; false if the version is too old; or 'again' if this step has done enough.
--
-- Cost: for each read 3 commands, for each document of a scan 2, at most `DOCUMENTS`; and the keys that have changed
-- since each of the versions, as many as `settle.lua` keeps. A step that has looked at `LOOKS` keys or has read `BYTES`
-- leaves the remaining reads to the next step.

local DOCUMENTS, LOOKS, BYTES = 1000, 2000, 4194304
local looked, bytes = 0, 0

-- By circle: the present version and the oldest one that can be read.
local versions = {}

local function current_version(circle)
  local found = versions[circle]
  if not found then
    found = { version_of(circle) }
    versions[circle] = found
  end
  return found[1], found[2]
end

-- By circle and version: the earlier values of documents that have changed since, false for those that did not exist,
-- and how many of the latter there are.
local changes = {}

local function changed_since(circle, at, version)
  local name = circle .. ' ' .. at
  if not changes[name] then
    local before, appeared = {}, 0
    for later = at + 1, version do
      local undo = undo_of(circle, later)
      looked = looked + #undo / 2
      for index = 1, #undo, 2 do
        local key = undo[index]
        if before[key] == nil then
          before[key] = undo[index + 1]
          if not undo[index + 1] then
            appeared = appeared + 1
          end
        end
      end
    end
    changes[name] = { before, appeared }
  end
  return unpack(changes[name])
end

-- Returns the keys of a range at a version, in order, and one more than `most` if there are so many.
local function names_in(circle, first, last, most, before, appeared)
  local from, to = first:sub(2), last:sub(2)
  local was = {}
  for name, value in pairs(before) do
    local is_behind_first = first == '-' or is_less(from, name) or (first:sub(1, 1) == '[' and name == from)
    local is_before_last = last == '+' or is_less(name, to) or (last:sub(1, 1) == '[' and name == to)
    if value and is_behind_first and is_before_last then
      was[#was + 1] = name
    end
  end
  table.sort(was, is_less)
  local names, at = {}, 1
  local function take(name)
    if #names <= most then
      names[#names + 1] = name
    end
  end
  for _, name in ipairs(redis.call('ZRANGEBYLEX', key('keys', circle), first, last, 'LIMIT', 0, most + 1 + appeared)) do
    if before[name] == nil then
      while was[at] and is_less(was[at], name) do
        take(was[at])
        at = at + 1
      end
      take(name)
    end
  end
  for index = at, #was do
    take(was[index])
  end
  looked = looked + #names
  return names
end

local function read(circle, version, what, first, last, most)
  if looked > LOOKS or bytes > BYTES then
    return 'again'
  end
  local now, floor = current_version(circle)
  local at = version == '' and now or tonumber(version)
  if at < floor then
    return false
  end
  local before, appeared = changed_since(circle, at, now)
  local documents = key('documents', circle)
  local function value_of(name)
    local value = before[name]
    if value == nil then
      value = redis.call('HGET', documents, name)
    end
    bytes = bytes + (value and #value or 0)
    return value
  end
  if what == 'get' then
    return { at, { value_of(first) } }
  end
  most = math.min(tonumber(most), DOCUMENTS)
  local names = names_in(circle, first, last, most, before, appeared)
  local found, began = {}, bytes
  for index, name in ipairs(names) do
    if index > most or (index > 1 and bytes - began > BYTES) then
      return { at, found, 1 }
    end
    found[2 * index - 1], found[2 * index] = name, value_of(name)
  end
  return { at, found }
end

local found = {}
for index = 1, #ARGV, 6 do
  found[#found + 1] = read(unpack(ARGV, index, index + 5))
end
return found
