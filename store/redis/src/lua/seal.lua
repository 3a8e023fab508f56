-- Seals records, or tells which are to be sealed.
--
-- ARGV: a circle; how many of its records are sealed already; the seals of those that follow. Without seals, this
-- is a question; without a circle, one for circles.
-- Returns circles with records that are not sealed; or how many records of the circle are sealed, the last seal,
-- and up to 500 records that are not.
--
-- Cost: 8 commands, on 500 records and 500 seals at most.

if #ARGV == 0 then
  return redis.call('SRANDMEMBER', shard .. ':unsealed', 16)
end
local circle, sealed = ARGV[1], tonumber(ARGV[2])
local seals, records = key('seals', circle), key('records', circle)
-- Another was quicker if there are more than it knew of.
if #ARGV > 2 and redis.call('LLEN', seals) == sealed then
  redis.call('RPUSH', seals, unpack(ARGV, 3))
  redis.call('LTRIM', records, #ARGV - 2, -1)
end
if redis.call('EXISTS', records) == 0 then
  redis.call('SREM', shard .. ':unsealed', circle)
end
return { redis.call('LLEN', seals), redis.call('LINDEX', seals, -1) or '', redis.call('LRANGE', records, 0, 499) }
