-- Returns a page of a circle's tasks, the newest first: those under way and those remembered.
--
-- ARGV: the circle; a task, if only older ones are asked for, or ''; the most tasks; a caller, or '*'; a state, or '*';
-- the most tasks to look at.
-- Returns the last task that was looked at if there may be older ones, else ''; then for each task: id, description
-- (JSON), state, start, end.
--
-- Cost: 4 commands for each task that is looked at.

local circle, before, most, caller, state, looks =
  ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], tonumber(ARGV[6])
local of = caller == '*' and circle or circle .. ':' .. caller
local last = before == '' and '+' or '(' .. before
local time = now()

-- Iterates over the names in a set, which it reads in pages.
local function names_of(set)
  local names, at, from = {}, 0, last
  return function()
    at = at + 1
    if at > #names and from then
      names, at = redis.call('ZREVRANGEBYLEX', set, from, '-', 'LIMIT', 0, 100), 1
      from = #names == 100 and '(' .. names[100] or nil
    end
    return names[at]
  end
end

-- Returns the row of a task, if its state is asked for.
local function row_of(id)
  local task = find_task(id)
  local text, is, began, ended
  if task then
    local claim = parse_claim(redis.call('HGET', shard .. ':held', id))
    text, is, began, ended = string.sub(task.value, task.at), claim and 'Running' or 'Queued', claim and claim.began, false
  else
    local till
    text, is, began, ended, till =
      unpack(redis.call('HMGET', key('task', id), 'view', 'state', 'started', 'ended', 'until'))
    if till and tonumber(till) <= time then
      return nil
    end
  end
  if text and (state == '*' or is == state) then
    return { id, text, is, began or '', ended or '' }
  end
end

-- Merges tasks under way and remembered ones in one order. Remembered tasks are neither queued nor running.
local next_open, next_ended = names_of(key('open', of)), names_of(key('tasks', of))
local open = (state == '*' or state == 'Queued' or state == 'Running') and next_open()
local ended = state ~= 'Queued' and state ~= 'Running' and next_ended()
local found, looked, id = { '' }, 0, nil
while (open or ended) and #found <= most and looked < looks do
  id = open
  if not open or (ended and ended > open) then
    id = ended
  end
  if open == id then
    open = next_open()
  end
  if ended == id then
    ended = next_ended()
  end
  looked = looked + 1
  found[#found + 1] = row_of(id)
end
if open or ended then
  found[1] = id or before
end
return found
