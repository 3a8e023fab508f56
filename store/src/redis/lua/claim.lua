-- Hands tasks to a worker, circles in turn, and begins its lease.
--
-- ARGV: the worker; the number of this claim, so that it may be sent twice; how many tasks at most; the lease in
-- milliseconds; the pool; how many circles are to be passed over; these circles.
-- Returns how many tasks of the shard still wait; then, for each task: name, epoch, milliseconds to its deadline,
-- how often it was retried, the task itself.

local worker, number, most, lease, pool, passed = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5],
  tonumber(ARGV[6])
local time = now()

local function handed(id, claim, meta)
  local body = redis.call('HGET', shard .. ':body', id)
  return { id, tostring(claim.epoch), math.max(meta.deadline - time, 0), claim.retried, body }
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
  for index = 1, passed do
    passes[ARGV[6 + index]] = true
  end
  local turns = key('turns', pool)
  local left = redis.call('LLEN', turns)
  local names, answers = {}, {}
  while #names < most and left > 0 do
    left = left - 1
    local circle = redis.call('LPOP', turns)
    local queue = key('queue', circle)
    if not passes[circle] then
      -- As many of each as keeps turns fair, and one at least.
      local share = math.max(math.floor((most - #names) / (left + 1)), 1)
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
    end
    if redis.call('EXISTS', queue) == 1 then
      redis.call('RPUSH', turns, circle)
    end
  end
  tell(answers)
  redis.call('HSET', shard .. ':workers', worker, cjson.encode({ number = number, tasks = names }))
end
if #tasks > 0 then
  redis.call('ZADD', shard .. ':leases', time + lease, worker)
end
table.insert(tasks, 1, tonumber(redis.call('HGET', shard .. ':count', '*') or 0))
return tasks
