-- Returns outcomes whose message a server may have missed.
--
-- ARGV: the server; the tasks.
-- Returns tasks and outcomes in turn: of those that have ended, as many as fit into `BYTES` and one more; and '' for
-- those that are not known.
--
-- Cost: 2 commands for each task, and the bytes of the outcomes. A server names at most 1,000 tasks.

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
