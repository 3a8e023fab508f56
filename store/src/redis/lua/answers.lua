-- Answers to a server that it may not have heard.
--
-- ARGV: the server; the tasks.
-- Returns tasks and outcomes in turn, of those that have ended.

local found = {}
for at = 2, #ARGV do
  local outcome = redis.call('HGET', key('answers', ARGV[1]), ARGV[at])
  if outcome then
    found[#found + 1] = ARGV[at]
    found[#found + 1] = outcome
  end
end
return found
