-- Reads documents as they were at a version.
--
-- ARGV: the circle; the version, or '' for the present one; then either 'get' and keys, or 'scan', the borders of a
-- range as ZRANGEBYLEX takes them, and how many documents at most.
-- Returns the version, then for 'get' the documents in order, and for 'scan' keys and documents in turn. Returns
-- false if the version lies too far back.

local circle, version, what = ARGV[1], ARGV[2], ARGV[3]
local documents = key('documents', circle)
local present, floor = version_of(circle)
local at = version == '' and present or tonumber(version)
if at < floor then
  return false
end

-- What documents held that have changed since; false for those that were not there.
local before, appeared = {}, 0
for later = at + 1, present do
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

local function values_of(names)
  local values = {}
  for from = 1, #names, 1000 do
    for _, value in ipairs(redis.call('HMGET', documents, unpack(names, from, math.min(from + 999, #names)))) do
      values[#values + 1] = value
    end
  end
  for index, name in ipairs(names) do
    if before[name] ~= nil then
      values[index] = before[name]
    end
  end
  return values
end

if what == 'get' then
  return { at, values_of({ unpack(ARGV, 4) }) }
end

local first, last, most = ARGV[4], ARGV[5], tonumber(ARGV[6])
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
local found = {}
for index, value in ipairs(values_of(names)) do
  found[#found + 1] = names[index]
  found[#found + 1] = value
end
return { at, found }
