-- Hands tasks to a worker, circles in turn, and begins its lease.
--
-- ARGV: the worker; the number of this claim, so that it may be sent twice; how many tasks at most; the lease in
-- milliseconds; the pool; how many circles are to be passed over; these circles; then circles, if tasks of no
-- others are to be taken.
-- Returns how many tasks still wait that might be taken; then, for each task: name, epoch, milliseconds to its
-- deadline, servers that want to see what it logs, the task itself.

local worker, number, most, lease, pool, passed = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5],
  tonumber(ARGV[6])
local only = { unpack(ARGV, 7 + passed) }
local time = now()

local function handed(id, claim, meta)
  local body = redis.call('HGET', shard .. ':body', id)
  return { id, tostring(claim.epoch), math.max(meta.deadline - time, 0), meta.watchers or {}, body }
end

local tasks = {}
local last = redis.call('HGET', shard .. ':workers', worker)
last = last and cjson.decode(last)
if last and last.number == number then
  for _, id in ipairs(last.tasks) do
    local claim = held(id)
    if claim and claim.worker == worker and claim.number == number then
      tasks[#tasks + 1] = handed(id, claim, cjson.decode(redis.call('HGET', shard .. ':live', id)))
    end
  end
else
  local passes = {}
  for index = 7, 6 + passed do
    passes[ARGV[index]] = true
  end
  local turns = key('turns', pool)
  local names, answers = {}, {}

  -- Takes tasks of a circle; whether some are left.
  local function take(circle, share)
    local queue = key('queue', circle)
    for _ = 1, share do
      local id = redis.call('LPOP', queue)
      if not id then
        break
      end
      dequeued(circle)
      local text = redis.call('HGET', shard .. ':live', id)
      local meta = text and cjson.decode(text)
      if meta and meta.deadline <= time then
        finish(id, meta, 'TimedOut', '"TimedOut"', meta.submitted, nil, time, answers)
      elseif meta then
        local epoch = redis.call('INCR', shard .. ':epoch')
        local claim = { worker = worker, number = number, epoch = epoch, began = time, retried = meta.retried or 0 }
        hold(id, claim)
        if meta.kept then
          redis.call('HSET', key('task', id), 'state', 'Running', 'started', time)
        end
        names[#names + 1] = id
        tasks[#tasks + 1] = handed(id, claim, meta)
      end
    end
    return redis.call('EXISTS', queue) == 1
  end

  -- As many of each as keeps turns fair, and one at least.
  local function share(left)
    return math.max(math.floor((most - #names) / (left + 1)), 1)
  end

  if #only > 0 then
    for index = 1, #only do
      local circle = only[(index + number) % #only + 1]
      if #names < most and not passes[circle] and redis.call('EXISTS', key('queue', circle)) == 1 then
        if not take(circle, share(#only - index)) then
          redis.call('LREM', turns, 0, circle)
        end
      end
    end
  else
    local left = redis.call('LLEN', turns)
    while #names < most and left > 0 do
      left = left - 1
      local circle = redis.call('LPOP', turns)
      if passes[circle] or take(circle, share(left)) then
        redis.call('RPUSH', turns, circle)
      end
    end
  end
  tell(answers)
  if #names > 0 then
    redis.call('HSET', shard .. ':workers', worker, cjson.encode({ number = number, tasks = names }))
  elseif last then
    redis.call('HDEL', shard .. ':workers', worker)
  end
end
if #tasks > 0 then
  redis.call('ZADD', shard .. ':leases', time + lease, worker)
end
local left = 0
for _, circle in ipairs(#only > 0 and only or { '*' }) do
  left = left + tonumber(redis.call('HGET', shard .. ':count', circle) or 0)
end
table.insert(tasks, 1, left)
return tasks
