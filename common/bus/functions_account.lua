-- The gate in front of a vendor account. Nothing here is worth losing a call for: no limits, no
-- trouble means one read.

-- Share of the burst that a class leaves to those before it: containment, opening, polling.
local RESERVE = { 0, 0.2, 0.5 }

local function account(key)
  local fields, list = {}, redis.call('HGETALL', key)
  for i = 1, #list, 2 do fields[list[i]] = list[i + 1] end
  return fields
end

local function field(fields, name)
  return tonumber(fields[name] or '') or 0
end

-- Slots are fields of the hash, s:<token> = until when; an account has one key and so one slot.
local function slots(key, fields, now)
  local used = 0
  for name, till in next, fields do
    if string.sub(name, 1, 2) == 's:' then
      if (tonumber(till) or 0) > now then used = used + 1 else redis.call('HDEL', key, name) end
    end
  end
  return used
end

-- How long until one call of this class fits the budget, 0 for now; takes it then.
local function budget(key, fields, now, class, per_hour, burst)
  local rate = per_hour / 3600000
  local tokens = fields['tokens'] and math.min(burst,
    field(fields, 'tokens') + math.max(now - field(fields, 'tokens_ms'), 0) * rate) or burst
  local floor = math.min(RESERVE[class] * burst, burst - 1)
  if tokens - 1 < floor then return math.ceil((floor + 1 - tokens) / rate) end
  redis.call('HSET', key, 'tokens', string.format('%.6f', tokens - 1), 'tokens_ms', text(now))
  return 0
end

-- What stands in the way of everyone: {answer, wait, 0, reason}, or nil. One caller per interval is
-- let through as the probe.
local function barred(key, fields, now, interval)
  local parked, open = fields['parked'], field(fields, 'open_until')
  local paused, probe = field(fields, 'paused_until'), field(fields, 'probe_ms')
  if not parked and paused > now then return { 'paused', paused - now, 0, '' } end
  if not parked and open == 0 then return nil end
  local next_probe = math.max(probe, open, paused)
  if next_probe <= now then
    redis.call('HSET', key, 'probe_ms', text(now + interval))
    return { 'probe', 0, 0, '' }
  end
  return { parked and 'parked' or 'broken', next_probe - now, 0, parked or '' }
end

-- KEYS account   ARGV token, class 1 to 3, calls an hour, burst, in flight, slot ttl ms,
-- probe interval ms   Answers {what, wait ms, valid ms, reason}.
local function account_enter(keys, args)
  local key, class = keys[1], number(args[2], 'class')
  local per_hour, burst, most = number(args[3], 'rate'), number(args[4], 'burst'), number(args[5], 'slots')
  local slot_ttl, interval = number(args[6], 'slot ttl'), number(args[7], 'interval')
  if not RESERVE[class] or (per_hour > 0 and burst < 1) then refuse('REFUSED', 'bad limits') end
  typed(key, 'hash')
  permitted({ 'HSET', key, 'f', 'v' }, { 'HDEL', key, 'f' })
  local now, fields = now_ms(), account(key)
  local answer = barred(key, fields, now, interval)
  if answer and answer[1] ~= 'probe' then return answer end
  if most > 0 and not answer and slots(key, fields, now) >= most then
    return { 'busy', math.min(1000, slot_ttl), 0, '' }
  end
  if per_hour > 0 and not answer then
    local wait = budget(key, fields, now, class, per_hour, burst)
    if wait > 0 then return { 'budget', wait, 0, '' } end
  end
  if most > 0 then redis.call('HSET', key, 's:' .. args[1], text(now + slot_ttl)) end
  if answer then return answer end
  local free = most == 0 and per_hour == 0 and not fields['failures']
  return { 'entered', 0, free and 1000 or 0, '' }
end

local function breaker_opens(key, fields, now, min, max, permille)
  local times = field(fields, 'opened')
  local top = math.min(max, min * 2 ^ math.min(times + 1, 20))
  local wait = math.floor(min + math.max(top - min, 0) * permille / 1000)
  redis.call('HSET', key, 'open_until', text(now + wait), 'opened', text(times + 1))
  redis.call('HDEL', key, 'failures')
end

-- KEYS account   ARGV token, ok | transient | fault | neutral, retry after ms, reason, probe 0 | 1,
-- failures that open the breaker, breaker min ms, max ms, random 0 to 1000, probe interval ms
-- Answers same | parked | resumed | opened | closed.
local function account_leave(keys, args)
  local key, outcome, retry, probe = keys[1], args[2], number(args[3], 'retry'), args[5] == '1'
  local limit, min, max = number(args[6], 'failures'), number(args[7], 'min'), number(args[8], 'max')
  local permille, interval = number(args[9], 'random'), number(args[10], 'interval')
  typed(key, 'hash')
  permitted({ 'HSET', key, 'f', 'v' }, { 'HDEL', key, 'f' })
  local now, fields = now_ms(), account(key)
  redis.call('HDEL', key, 's:' .. args[1])
  if retry > 0 and now + retry > field(fields, 'paused_until') then
    redis.call('HSET', key, 'paused_until', text(now + retry))
  end
  local broken = fields['open_until'] ~= nil
  if outcome == 'fault' then
    -- Calls that were under way when it was parked are no better witnesses than the first.
    if fields['parked'] and not probe then return 'same' end
    redis.call('HSET', key, 'parked', args[4])
    if fields['parked'] then return 'same' end
    redis.call('HSET', key, 'parked_ms', text(now), 'probe_ms', text(now + interval))
    return 'parked'
  elseif outcome == 'ok' then
    if probe and (fields['parked'] or broken) then
      redis.call('HDEL', key, 'parked', 'parked_ms', 'probe_ms', 'open_until', 'opened', 'failures')
      return fields['parked'] and 'resumed' or 'closed'
    end
    if not broken and (fields['failures'] or fields['opened']) then
      redis.call('HDEL', key, 'failures', 'opened')
    end
  elseif outcome == 'transient' and retry == 0 then
    if broken and not probe then return 'same' end
    if fields['parked'] then return 'same' end
    if broken or field(fields, 'failures') + 1 >= limit then
      breaker_opens(key, fields, now, min, max, permille)
      return broken and 'same' or 'opened'
    end
    redis.call('HINCRBY', key, 'failures', 1)
  end
  return 'same'
end

-- KEYS account   ARGV reason, probe interval ms   Stronger than what a call found out: its reason
-- takes the place of another.
local function account_park(keys, args)
  local now = now_ms()
  permitted({ 'HSET', keys[1], 'f', 'v' })
  if account(keys[1])['parked'] == args[1] then return 0 end
  redis.call('HSET', keys[1], 'parked', args[1], 'parked_ms', text(now), 'probe_ms',
    text(now + number(args[2], 'interval')))
  return 1
end

-- KEYS account
local function account_resume(keys)
  return redis.call('HDEL', keys[1], 'parked', 'parked_ms', 'probe_ms', 'open_until', 'opened',
    'failures', 'paused_until') > 0 and 1 or 0
end

-- KEYS account   Answers {now, hash}.
local function account_state(keys)
  return { now_ms(), redis.call('HGETALL', keys[1]) }
end

register('account_enter', account_enter, 'allow-oom')
register('account_leave', account_leave, 'allow-oom')
register('account_park', account_park, 'allow-oom')
register('account_resume', account_resume, 'allow-oom')
register('account_state', account_state, 'no-writes')
