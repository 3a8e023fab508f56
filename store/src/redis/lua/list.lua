-- A page of a circle's tasks, the newest first: those under way and those remembered.
--
-- ARGV: the circle; only tasks older than this one, or ''; how many at most; whose, or '*'; in which state, or '*'.
-- Returns for each: its name, what the scripts knew of it (JSON), its state, when it began and when it ended.

local circle, before, most, caller, state = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local found = {}

local function add(id, text, is, began, ended)
  local meta = cjson.decode(text)
  if (before == '' or id < before) and (caller == '*' or meta.caller == caller) and (state == '*' or is == state) then
    found[#found + 1] = { id, text, is, began or '', ended or '' }
    return true
  end
  return false
end

local function text_of(task)
  return string.sub(task.value, task.at)
end

for _, id in ipairs(redis.call('LRANGE', key('queue', circle), 0, -1)) do
  local task = known(id)
  if task then
    add(id, text_of(task), 'Queued')
  end
end
local all = redis.call('HGETALL', shard .. ':held')
for at = 1, #all, 2 do
  local task = known(all[at])
  if task and task.circle == circle then
    add(all[at], text_of(task), 'Running', held(all[at + 1]).began)
  end
end
local last, remembered = before == '' and '+' or '(' .. before, 0
while remembered < most do
  local names = redis.call('ZREVRANGEBYLEX', key('tasks', circle), last, '-', 'LIMIT', 0, 100)
  for _, id in ipairs(names) do
    last = '(' .. id
    if redis.call('HEXISTS', shard .. ':live', id) == 0 then
      local view = redis.call('HMGET', key('task', id), 'view', 'state', 'started', 'ended')
      if not view[1] then
        redis.call('ZREM', key('tasks', circle), id)
      elseif add(id, view[1], view[2], view[3], view[4]) then
        remembered = remembered + 1
      end
    end
  end
  if #names < 100 then
    break
  end
end
table.sort(found, function(one, other) return one[1] > other[1] end)
return { unpack(found, 1, math.min(most, #found)) }
