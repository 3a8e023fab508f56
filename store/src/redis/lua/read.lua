-- Reads documents as they were at a version.
--
-- ARGV: for each read, six: the circle; the version, or '' for the present one; then either 'get', the key, and two
-- that are not looked at, or 'scan', the borders of a range as ZRANGEBYLEX takes them, and how many documents at most.
-- Returns for each: the version, then for 'get' the document, and for 'scan' keys and documents in turn; or false if
-- the version lies too far back.

-- Which version circles are at, and the last one that cannot be gone back behind.
local versions = {}

local function present(circle)
  local found = versions[circle]
  if not found then
    found = { version_of(circle) }
    versions[circle] = found
  end
  return found[1], found[2]
end

-- What documents held that have changed since; false for those that were not there. And how many of these there are.
local function changed_since(circle, at, version)
  local before, appeared = {}, 0
  for later = at + 1, version do
    local undo = undo_of(circle, later)
    for index = 1, #undo, 2 do
      local name = undo[index]
      if before[name] == nil then
        before[name] = undo[index + 1]
        if not undo[index + 1] then
          appeared = appeared + 1
        end
      end
    end
  end
  return before, appeared
end

local function values_of(documents, names, before)
  local values = fields(documents, names)
  for index, name in ipairs(names) do
    if before[name] ~= nil then
      values[index] = before[name]
    end
  end
  return values
end

-- The keys of a range, in order.
local function names_in(circle, first, last, most, before, appeared)
  local names = {}
  for _, name in ipairs(redis.call('ZRANGEBYLEX', key('keys', circle), first, last, 'LIMIT', 0, most + appeared)) do
    if before[name] == nil then
      names[#names + 1] = name
    end
  end
  for name, value in pairs(before) do
    local from = first:sub(2)
    local to = last:sub(2)
    local is_behind_first = first == '-' or is_less(from, name) or (first:sub(1, 1) == '[' and name == from)
    local is_before_last = last == '+' or is_less(name, to) or (last:sub(1, 1) == '[' and name == to)
    if value and is_behind_first and is_before_last then
      names[#names + 1] = name
    end
  end
  if next(before) then
    table.sort(names, is_less)
  end
  while #names > most do
    names[#names] = nil
  end
  return names
end

local function read(circle, version, what, first, last, most)
  local now, floor = present(circle)
  local at = version == '' and now or tonumber(version)
  if at < floor then
    return false
  end
  local before, appeared = changed_since(circle, at, now)
  local documents = key('documents', circle)
  if what == 'get' then
    return { at, values_of(documents, { first }, before) }
  end
  local names = names_in(circle, first, last, tonumber(most), before, appeared)
  local found = {}
  for index, value in ipairs(values_of(documents, names, before)) do
    found[#found + 1] = names[index]
    found[#found + 1] = value
  end
  return { at, found }
end

local found = {}
for index = 1, #ARGV, 6 do
  found[#found + 1] = read(unpack(ARGV, index, index + 5))
end
return found
