-- Reads documents as they were at a version.
--
-- ARGV: the circle; the version, or '' for the present one; then either 'get' and keys, or 'scan', the borders of a
-- range as ZRANGEBYLEX takes them, and how many documents at most.
-- Returns the version, then for 'get' the documents in order, and for 'scan' keys and documents in turn. Returns
-- false if what was asked for has changed since the version: it is nowhere any more.

local circle, version, what = ARGV[1], ARGV[2], ARGV[3]
local documents, keys = key('documents', circle), key('keys', circle)
local state = redis.call('HMGET', key('circle', circle), 'version', 'floor')
local present, floor = tonumber(state[1] or 0), tonumber(state[2] or 0)
local at = version == '' and present or tonumber(version)
if at < floor then
  return false
end

if what == 'get' then
  local names = { unpack(ARGV, 4) }
  if at < present then
    for _, name in ipairs(names) do
      local changed = redis.call('ZSCORE', key('changes', circle), name)
      if changed and tonumber(changed) > at then
        return false
      end
    end
  end
  return { at, redis.call('HMGET', documents, unpack(names)) }
end

local first, last, most = ARGV[4], ARGV[5], tonumber(ARGV[6])
local names = redis.call('ZRANGEBYLEX', keys, first, last, 'LIMIT', 0, most)
if at < present then
  -- What lies behind the last that is handed out is not seen.
  local limit = last
  if #names == most and most > 0 then
    limit = '[' .. names[#names]
  end
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', key('changes', circle), '(' .. at, '+inf')) do
    local after = first == '-' or name > first:sub(2) or (first:sub(1, 1) == '[' and name == first:sub(2))
    local before = limit == '+' or name < limit:sub(2) or (limit:sub(1, 1) == '[' and name == limit:sub(2))
    if after and before then
      return false
    end
  end
end
local found = {}
for from = 1, #names, 1000 do
  local values = redis.call('HMGET', documents, unpack(names, from, math.min(from + 999, #names)))
  for index, value in ipairs(values) do
    found[#found + 1] = names[from + index - 1]
    found[#found + 1] = value
  end
end
return { at, found }
