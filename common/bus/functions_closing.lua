-- From what somebody says to the incident it is about, and how many hosts may be let go at once.

-- KEYS actions, open, incident, inbox, closures or none   ARGV incident id, item, group, consumer, id of the
-- entry, field count, fields of an incident to make when there is none...
-- The item goes to the inbox, the incident is woken up and watched, the entry settled: in one step. Answers
-- 'taken', 'not ours' (settled before, or another's now), or 'unknown' (no such incident; nothing is done).
local function closure_take(keys, args)
  bounded(args)
  local actions, open, incident, inbox, closures = keys[1], keys[2], keys[3], keys[4], keys[5]
  local id, item, group, entry = args[1], args[2], args[3], args[5]
  local fields = number(args[6], 'fields') * 2
  if 6 + fields ~= #args then refuse('REFUSED', 'not as many fields as announced') end
  stream(actions)
  typed(open, 'zset')
  typed(inbox, 'list')
  local known = redis.call('HGET', incident, 'state')
  permitted({ 'RPUSH', inbox, 'x' }, { 'ZADD', open, 1, 'x' }, { 'XADD', actions, '*', 'f', 'v' })
  if fields > 0 then permitted({ 'HSET', incident, 'f', 'v' }) end
  if closures then
    stream(closures)
    permitted({ 'XACK', closures, group, '0-1' }, { 'XDEL', closures, '0-1' })
    if not owned(closures, group, args[4], { entry })[entry] then return 'not ours' end
  end
  if not known and fields == 0 then return 'unknown' end

  local now = text(now_ms())
  if not known then
    redis.call('HSET', incident, 'fence', '0', 'created_ms', now, 'changed_ms', now,
      unpack(args, 7))
  end
  redis.call('RPUSH', inbox, item)
  redis.call('ZADD', open, 'NX', now, id)
  wake_up(actions, incident, id)
  if closures then drop(closures, group, { entry }) end
  return 'taken'
end

-- KEYS releases, asks   ARGV incident id, window ms, how many in it need no confirmation, words
-- Counts an incident that is about to let hosts go, once within the window. Answers {1, 0} when it may, else
-- {0, how many wait for the confirmation}, this one included.
local function release_gate(keys, args)
  local releases, asks, id = keys[1], keys[2], args[1]
  local now, window, limit = now_ms(), number(args[2], 'window'), number(args[3], 'limit')
  typed(releases, 'zset')
  typed(asks, 'hash')
  permitted({ 'ZADD', releases, 1, 'x' }, { 'ZREMRANGEBYSCORE', releases, 0, 1 },
    { 'HSET', asks, 'f', 'v' }, { 'PEXPIRE', releases, 1 })
  redis.call('ZREMRANGEBYSCORE', releases, 0, now - window)
  redis.call('ZADD', releases, 'NX', now, id)
  redis.call('PEXPIRE', releases, window)
  if redis.call('ZCARD', releases) <= limit then return { 1, 0 } end
  redis.call('HSET', asks, id, args[4])
  return { 0, redis.call('HLEN', asks) }
end

register('closure_take', closure_take, 'allow-oom')
register('release_gate', release_gate, 'allow-oom')
