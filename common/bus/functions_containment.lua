-- Who holds which host contained, who acts on it, how many were contained within the hour.

local HOUR_MS = 3600000

-- "all" and "containment" of everybody or of this customer; who froze it, or nil.
local function frozen(freeze, what, customer)
  local found = redis.call('HMGET', freeze, what, what .. ':' .. customer)
  local value = found[1] or found[2]
  return value and (string.match(value, '^%d+ (.*)$') or value)
end

-- Whether another incident acts on the machine now; its id.
local function acting(record, incident, now)
  local held = redis.call('HMGET', record, 'act_incident', 'act_until_ms')
  if held[1] and held[1] ~= incident and (tonumber(held[2] or '') or 0) > now then return held[1] end
  return nil
end

-- Another incident that holds it by the same method, or nil.
local function other_holder(host, method, incident)
  for _, member in ipairs(redis.call('SMEMBERS', host)) do
    local kind_of, id = string.match(member, '^(%S+) (%S+)$')
    if kind_of == method and id ~= incident then return id end
  end
  return nil
end

local function member_checks(host, record, index)
  redis.call('SCARD', host)
  redis.call('ZCARD', index)
  permitted({ 'SADD', host, 'x' }, { 'SREM', host, 'x' }, { 'HSET', record, 'f', 'v' },
    { 'HDEL', record, 'f' }, { 'DEL', record }, { 'ZADD', index, 'NX', 1, 'x' }, { 'ZREM', index, 'x' })
end

-- KEYS host, record, index   ARGV incident, method, member of the index, act ttl ms
local function host_read(keys, args)
  return { host = keys[1], record = keys[2], index = keys[3], incident = args[1], method = args[2],
    place = args[3], ttl = number(args[4], 'ttl'), member = args[2] .. ' ' .. args[1] }
end

local function act(claim, now)
  redis.call('HSET', claim.record, 'act_incident', claim.incident, 'act_until_ms', text(now + claim.ttl))
end

local function hold(claim, now)
  redis.call('SADD', claim.host, claim.member)
  redis.call('ZADD', claim.index, 'NX', now, claim.place)
end

-- KEYS host, record, index, ceiling, freeze   ARGV as host_read, then customer, by itself 0 | 1,
-- per hour, from, to
-- Answers {granted | busy | frozen | ceiling, other}.
local function host_hold(keys, args)
  local claim, ceiling, now = host_read(keys, args), keys[4], now_ms()
  local unasked, per_hour, from = args[6] == '1', number(args[7], 'per hour'), args[8]
  member_checks(claim.host, claim.record, claim.index)
  permitted({ 'ZADD', ceiling, 1, 'x' }, { 'ZREMRANGEBYSCORE', ceiling, '-inf', 0 })
  local stopped = unasked and frozen(keys[5], 'containment', args[5])
  if stopped then return { 'frozen', stopped } end
  local other = acting(claim.record, claim.incident, now)
  if other then return { 'busy', other } end
  local within = redis.call('ZCOUNT', ceiling, '(' .. text(now - HOUR_MS), '+inf')
  local counted = redis.call('ZSCORE', ceiling, claim.incident)
  if unasked and not counted and within >= per_hour then return { 'ceiling', text(within) } end

  redis.call('ZREMRANGEBYSCORE', ceiling, '-inf', text(now - HOUR_MS))
  if not counted then redis.call('ZADD', ceiling, now, claim.incident) end
  hold(claim, now)
  act(claim, now)
  local moved = redis.call('HGET', claim.record, 'from')
  if from ~= '' and not moved then redis.call('HSET', claim.record, 'from', from, 'to', args[9]) end
  return { 'granted', moved or from }
end

-- KEYS host, record, index   ARGV as host_read   Answers {granted | busy, group it came from}.
local function host_join(keys, args)
  local claim, now = host_read(keys, args), now_ms()
  member_checks(claim.host, claim.record, claim.index)
  local other = acting(claim.record, claim.incident, now)
  if other then return { 'busy', other } end
  hold(claim, now)
  return { 'granted', redis.call('HGET', claim.record, 'from') or '' }
end

local function let_go(claim)
  redis.call('SREM', claim.host, claim.member)
  if claim.method == 'move_group' and not other_holder(claim.host, claim.method, claim.incident) then
    redis.call('HDEL', claim.record, 'from', 'to')
  end
  if redis.call('SCARD', claim.host) == 0 then
    redis.call('DEL', claim.record)
    redis.call('ZREM', claim.index, claim.place)
  end
end

-- KEYS host, record, index   ARGV as host_read, keep 0 | 1
local function host_settle(keys, args)
  local claim = host_read(keys, args)
  member_checks(claim.host, claim.record, claim.index)
  if redis.call('HGET', claim.record, 'act_incident') == claim.incident then
    redis.call('HDEL', claim.record, 'act_incident', 'act_until_ms')
  end
  if args[5] ~= '1' then let_go(claim) end
  return 1
end

-- KEYS host, record, index   ARGV as host_read   Answers {granted | busy | shared, other}.
local function host_unhold(keys, args)
  local claim, now = host_read(keys, args), now_ms()
  member_checks(claim.host, claim.record, claim.index)
  local other = acting(claim.record, claim.incident, now)
  if other then return { 'busy', other } end
  other = other_holder(claim.host, claim.method, claim.incident)
  if other then
    redis.call('HDEL', claim.record, 'act_incident', 'act_until_ms')
    let_go(claim)
    return { 'shared', other }
  end
  act(claim, now)
  return { 'granted', redis.call('HGET', claim.record, 'from') or '' }
end

register('host_hold', host_hold, 'allow-oom')
register('host_join', host_join, 'allow-oom')
register('host_settle', host_settle, 'allow-oom')
register('host_unhold', host_unhold, 'allow-oom')
