-- Hands tasks to a worker, circles in turn, and begins its lease.
--
-- ARGV: the worker; the number of this claim, so that it may be sent twice; the most tasks; the lease in milliseconds;
-- the pool; how many circles to pass over; these circles; then circles, if only their tasks are to be claimed.
-- Returns how many tasks are left that could be claimed; then, for each task: id, epoch, milliseconds to its deadline,
-- the servers that watch it, the task itself.
--
-- Cost: for each claimed task about 6 commands, for each of these circles one or two, and for each task whose deadline
-- has passed about 10. A claim dequeues at most `DEQUEUED` tasks. A worker claims at most 64 tasks and passes over at
-- most 64 circles.

local worker, number, most, lease, pool, passed = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5],
  tonumber(ARGV[6])
local only = { unpack(ARGV, 7 + passed) }
local time = now()

local tasks = {}

-- Adds tasks to the reply.
local function add_to_reply(ids, claims, found)
  local bodies = fields(shard .. ':body', ids)
  for index, id in ipairs(ids) do
    local task = found[index]
    local watchers = has_flag(task, 'm') and json_of(task).watchers or {}
    tasks[#tasks + 1] = { id, claims[index], math.max(task.deadline - time, 0), watchers, bodies[index] }
  end
end

-- Answers a repeated claim with the same tasks, without those that the worker no longer holds.
local function repeat_reply(ids)
  local still, epochs, found = {}, {}, {}
  for index, value in ipairs(fields(shard .. ':held', ids)) do
    local claim = parse_claim(value)
    if claim and claim.worker == worker and claim.number == number then
      still[#still + 1] = ids[index]
      epochs[#epochs + 1] = claim.epoch
      found[#found + 1] = find_task(ids[index])
    end
  end
  if #still > 0 then
    add_to_reply(still, epochs, found)
  end
end

local passes = {}
for index = 7, 6 + passed do
  passes[ARGV[index]] = true
end
local turns = key('turns', pool)
local names, found, results = {}, {}, results()
local dequeued = 0
-- The most tasks that one claim takes from queues. Most of them may be past their deadlines.
local DEQUEUED = 256

-- Takes tasks of a circle. Returns whether some are left.
local function take(circle, share)
  local queue = key('queue', circle)
  local ids = redis.call('LPOP', queue, share) or {}
  dequeued = dequeued + #ids
  if #ids > 0 then
    for index, value in ipairs(fields(shard .. ':live', ids)) do
      local task = value and parse(value)
      if task and task.deadline <= time then
        finish(ids[index], task, 'TimedOut', '"TimedOut"', has_flag(task, 's'), nil, time, results)
      elseif task then
        names[#names + 1] = ids[index]
        found[#found + 1] = task
        if has_flag(task, 'k') then
          redis.call('HSET', key('task', ids[index]), 'state', 'Running', 'started', time)
        end
      end
    end
  end
  return #ids == share and redis.call('EXISTS', queue) == 1
end

-- A circle's fair share of what may still be claimed, at least one, if so many circles follow it.
local function share(left)
  return math.max(math.floor((most - #names) / (left + 1)), 1)
end

local function take_of_circles()
  for index = 1, #only do
    local circle = only[(index + number) % #only + 1]
    if #names < most and dequeued < DEQUEUED and not passes[circle] and redis.call('EXISTS', key('queue', circle)) == 1 then
      if not take(circle, share(#only - index)) then
        redis.call('LREM', turns, 0, circle)
      end
    end
  end
end

local function take_in_turn()
  local left = redis.call('LLEN', turns)
  while #names < most and dequeued < DEQUEUED and left > 0 do
    left = left - 1
    local circle = redis.call('LPOP', turns)
    if passes[circle] or take(circle, share(left)) then
      redis.call('RPUSH', turns, circle)
    end
  end
end

-- How many tasks are left that could be claimed.
local left

local function claim_new()
  if #only > 0 then
    take_of_circles()
  else
    take_in_turn()
  end
  if dequeued > 0 then
    left = redis.call('DECRBY', shard .. ':count', dequeued)
  end
  carry_out(results)
  if #names == 0 then
    redis.call('HDEL', shard .. ':workers', worker)
    return
  end
  local epoch = redis.call('INCRBY', shard .. ':epoch', #names) - #names
  local claims, epochs, holds = {}, {}, {}
  for index, id in ipairs(names) do
    epochs[index] = string.format('%.0f', epoch + index)
    claims[#claims + 1] = id
    claims[#claims + 1] = string.format('%s %s %s %.0f -', epochs[index], worker, number, time)
    holds[#holds + 1] = epochs[index]
    holds[#holds + 1] = id
  end
  call_chunked('HSET', shard .. ':held', claims)
  call_chunked('ZADD', key('holds', worker), holds)
  redis.call('HSET', shard .. ':workers', worker, number .. ' ' .. table.concat(names, ' '))
  add_to_reply(names, epochs, found)
end

local last = redis.call('HGET', shard .. ':workers', worker)
if last and string.sub(last, 1, #number + 1) == number .. ' ' then
  local ids = {}
  for id in string.gmatch(string.sub(last, #number + 2), '%S+') do
    ids[#ids + 1] = id
  end
  repeat_reply(ids)
else
  claim_new()
end
if #tasks > 0 then
  redis.call('ZADD', shard .. ':leases', time + lease, worker)
end
if #only > 0 then
  left = 0
  for _, circle in ipairs(only) do
    left = left + redis.call('LLEN', key('queue', circle))
  end
end
table.insert(tasks, 1, left or tonumber(redis.call('GET', shard .. ':count') or 0))
return tasks
