-- Seals records, or returns those that are not sealed yet.
--
-- ARGV: nothing; or a circle, how many of its records are sealed already, and the seals of the records that follow.
-- Returns, without a circle, some circles with unsealed records; else how many records of the circle are sealed, the
-- last seal, and up to 500 unsealed records.
--
-- Cost: 8 commands, on at most 500 records and 500 seals.

if #ARGV == 0 then
  return redis.call('SRANDMEMBER', shard .. ':unsealed', 16)
end
local circle, sealed = ARGV[1], tonumber(ARGV[2])
local seals, records = key('seals', circle), key('records', circle)
-- Another process has sealed meanwhile if there are more seals.
if #ARGV > 2 and redis.call('LLEN', seals) == sealed then
  redis.call('RPUSH', seals, unpack(ARGV, 3))
  redis.call('LTRIM', records, #ARGV - 2, -1)
end
if redis.call('EXISTS', records) == 0 then
  redis.call('SREM', shard .. ':unsealed', circle)
end
return { redis.call('LLEN', seals), redis.call('LINDEX', seals, -1) or '', redis.call('LRANGE', records, 0, 499) }
