-- Answers to a server that it may not have heard.
--
-- ARGV: the server; the tasks.
-- Returns tasks and outcomes in turn, of those that have ended: the first of them, with `BYTES` and a little more; and ''
-- for those of which nothing is known.
--
-- Cost: 2 commands for each task, of which the server names 1,000 at most, and so many bytes.

local BYTES = 4194304
local kept = key('answers', ARGV[1])
local found, bytes = {}, 0
for at = 2, #ARGV do
  local size = redis.call('HSTRLEN', kept, ARGV[at])
  if size > 0 then
    found[#found + 1] = ARGV[at]
    found[#found + 1] = redis.call('HGET', kept, ARGV[at])
    bytes = bytes + size
    if bytes > BYTES then
      break
    end
  elseif redis.call('HEXISTS', shard .. ':live', ARGV[at]) == 0 then
    found[#found + 1] = ARGV[at]
    found[#found + 1] = ''
  end
end
return found
