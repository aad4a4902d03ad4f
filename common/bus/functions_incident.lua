-- From finding to incident, and whose turn it is to work on one.

local LIST_CAP = 200 -- findings and timeline kept per incident
local INBOX_WINDOW = 100

-- Decides where one finding goes. plan holds what earlier findings of the same call will have done.
local function claim_target(plan, prefix, group_key, candidate)
  local current = plan.groups[group_key] or redis.call('GET', group_key)
  local function state(id)
    return plan.opened[id] and 'opening' or redis.call('HGET', prefix .. id, 'state')
  end
  if current == candidate then return candidate, 'recorded' end
  if current then
    local now_in = state(current)
    if now_in == 'opening' or now_in == 'open' then return current, 'joined' end
  end
  if state(candidate) then return candidate, 'recorded' end
  plan.groups[group_key], plan.opened[candidate] = candidate, true
  return candidate, 'opened', current or redis.call('GET', group_key .. ':previous')
end

local function claim_checks(incident, group_key)
  typed(incident, 'hash')
  typed(incident .. ':inbox', 'list')
  typed(incident .. ':findings', 'list')
  permitted({ 'HSET', incident, 'f', 'v' }, { 'HINCRBY', incident, 'findings', 1 },
    { 'RPUSH', incident .. ':inbox', 'x' }, { 'RPUSH', incident .. ':findings', 'x' },
    { 'LTRIM', incident .. ':findings', 0, 1 }, { 'SET', group_key, 'x' })
end

local function claim_write(args, incident, claim, now)
  if claim.outcome == 'opened' then
    local fields = { unpack(args, claim.from, claim.to) }
    for _, part in ipairs({ 'state', 'opening', 'fence', '0', 'findings', '0', 'severity', '0',
      'created_ms', text(now), 'group_key', claim.group_key, 'previous', claim.previous or '' }) do
      fields[#fields + 1] = part
    end
    redis.call('HSET', incident, unpack(fields))
    redis.call('SET', claim.group_key, claim.incident)
    redis.call('RPUSH', incident .. ':inbox', claim.open_item)
  elseif claim.outcome == 'joined' then
    redis.call('RPUSH', incident .. ':inbox', claim.note_item)
  end
  redis.call('HINCRBY', incident, 'findings', 1)
  local severity = math.max(claim.severity, tonumber(redis.call('HGET', incident, 'severity')) or 0)
  redis.call('HSET', incident, 'severity', text(severity), 'changed_ms', text(now))
  redis.call('RPUSH', incident .. ':findings', claim.summary)
  redis.call('LTRIM', incident .. ':findings', -LIST_CAP, -1)
end

-- KEYS findings, actions, group keys and fates...   ARGV group, consumer, fate ttl ms, prefix of
-- incident keys, then per finding: id, index of its group key, index of its fate or 0, candidate,
-- open item, note item, summary, severity, field count, fields...
-- Keys of the incidents themselves are reached by the prefix: which one is known only here. Carries
-- allow-oom: findings that cannot become incidents could never leave a full Redis.
-- Answers {not ours | opened | joined | recorded, incident id} per finding.
local function group_claim(keys, args)
  bounded(args)
  local key, actions, group, ttl, prefix = keys[1], keys[2], args[1], number(args[3], 'ttl'), args[4]
  local claims, ids, at = {}, {}, 5
  while at <= #args do
    local fields = number(args[at + 8], 'field count')
    local claim = { id = args[at], group_key = keys[number(args[at + 1], 'group')],
      fate_key = keys[number(args[at + 2], 'fate')], candidate = args[at + 3],
      open_item = args[at + 4], note_item = args[at + 5], summary = args[at + 6],
      severity = number(args[at + 7], 'severity'), from = at + 9, to = at + 8 + fields * 2 }
    if claim.to > #args or not claim.group_key then refuse('REFUSED', 'bad finding') end
    claims[#claims + 1], ids[#ids + 1], at = claim, claim.id, claim.to + 1
  end
  stream(key)
  stream(actions)
  permitted({ 'XACK', key, group, '0-1' }, { 'XDEL', key, '0-1' }, { 'XADD', actions, '*', 'f', 'v' })
  local mine, plan = owned(key, group, args[2], ids), { groups = {}, opened = {} }
  for _, claim in ipairs(claims) do
    claim.ours, mine[claim.id] = mine[claim.id], nil
    if claim.ours then
      claim.incident, claim.outcome, claim.previous =
        claim_target(plan, prefix, claim.group_key, claim.candidate)
      claim_checks(prefix .. claim.incident, claim.group_key)
      if claim.fate_key then
        typed(claim.fate_key, 'string')
        permitted({ 'SET', claim.fate_key, 'x', 'PX', ttl })
      end
    end
  end

  local now, answers = now_ms(), {}
  for i, claim in ipairs(claims) do
    answers[i] = { claim.outcome or 'not ours', claim.incident or '' }
    if claim.ours then
      claim_write(args, prefix .. claim.incident, claim, now)
      if claim.outcome ~= 'recorded' then
        redis.call('XADD', actions, 'NOMKSTREAM', '*', 'v', '1', 'incident', claim.incident)
      end
      if claim.fate_key then
        redis.call('SET', claim.fate_key, 'incident:' .. claim.incident, 'PX', ttl)
      end
      redis.call('XACK', key, group, claim.id)
      redis.call('XDEL', key, claim.id)
    end
  end
  return answers
end

-- KEYS incident, inbox   ARGV owner, ttl ms
-- Answers {0, owner until, now}, or {1, fence, now, hash, first of the inbox}.
local function incident_take(keys, args)
  local owner, ttl, now = args[1], number(args[2], 'ttl'), now_ms()
  permitted({ 'HSET', keys[1], 'f', 'v' })
  typed(keys[2], 'list')
  if not typed(keys[1], 'hash') then return { 1, 0, now, {}, {} } end
  local held = redis.call('HMGET', keys[1], 'owner', 'owner_until', 'fence')
  local till = tonumber(held[2] or '') or 0
  if held[1] and held[1] ~= '' and held[1] ~= owner and till > now then return { 0, till, now } end
  local fence = (tonumber(held[3] or '') or 0) + 1
  redis.call('HSET', keys[1], 'owner', owner, 'owner_until', text(now + ttl), 'fence', text(fence),
    'written', '')
  return { 1, fence, now, redis.call('HGETALL', keys[1]),
    redis.call('LRANGE', keys[2], 0, INBOX_WINDOW - 1) }
end

local function holds(key, owner, fence)
  local held = redis.call('HMGET', key, 'owner', 'fence', 'written')
  if held[2] ~= fence or (held[1] ~= owner and held[1] ~= '') then
    refuse('STALE', 'fence ' .. fence .. ' of ' .. key .. ' is not the newest')
  end
  return held[1] == owner, held[3]
end

-- KEYS incident, inbox, timeline, group key or none   ARGV owner, fence, ttl ms, mark of this write,
-- items done, timeline entry, keep | drop | take, incident id, time to keep the name of the previous
-- incident ms, field count, fields..., names to delete...
-- Answers 1, or 0 when the group was to be taken and is another's (nothing is written then).
local function journal(keys, args)
  bounded(args)
  local key, inbox, timeline, group_key = keys[1], keys[2], keys[3], keys[4]
  local ttl, done, change, id = number(args[3], 'ttl'), number(args[5], 'items'), args[7], args[8]
  local keep_ms, set_to = number(args[9], 'keep'), 10 + number(args[10], 'fields') * 2
  if set_to > #args then refuse('REFUSED', 'fewer fields than announced') end
  if change ~= 'keep' and not group_key then refuse('REFUSED', 'no group key') end
  typed(key, 'hash')
  typed(inbox, 'list')
  typed(timeline, 'list')
  permitted({ 'HSET', key, 'f', 'v' }, { 'HDEL', key, 'f' }, { 'LTRIM', inbox, 0, 1 },
    { 'RPUSH', timeline, 'x' }, { 'LTRIM', timeline, 0, 1 })
  local holder = nil
  if group_key then
    typed(group_key, 'string')
    typed(group_key .. ':previous', 'string')
    permitted({ 'SET', group_key, 'x' }, { 'DEL', group_key },
      { 'SET', group_key .. ':previous', 'x', 'PX', 1 })
    holder = redis.call('GET', group_key)
  end
  local ours, written = holds(key, args[1], args[2])
  if not ours then refuse('STALE', key .. ' was released') end
  if written == args[4] then return 1 end
  if change == 'take' and holder and holder ~= id then return 0 end

  if set_to > 10 then redis.call('HSET', key, unpack(args, 11, set_to)) end
  if set_to < #args then redis.call('HDEL', key, unpack(args, set_to + 1)) end
  local now = now_ms()
  redis.call('HSET', key, 'owner', args[1], 'fence', args[2], 'written', args[4],
    'owner_until', text(now + ttl), 'changed_ms', text(now))
  if done > 0 then redis.call('LTRIM', inbox, done, -1) end
  if args[6] ~= '' then
    redis.call('RPUSH', timeline, args[6])
    redis.call('LTRIM', timeline, -LIST_CAP, -1)
  end
  if change == 'take' then
    redis.call('SET', group_key, id)
  elseif change == 'drop' and holder == id then
    redis.call('DEL', group_key)
    redis.call('SET', group_key .. ':previous', id, 'PX', keep_ms)
  end
  return 1
end

-- KEYS incident, inbox, actions, deferred   ARGV owner, fence, group, consumer, id of the wake-up,
-- delay ms or '', counted 0 | 1, reason, items of the inbox that stay
-- Answers 0 when there are more: whoever put them there saw us busy, so we must go on.
local function incident_release(keys, args)
  local key, inbox, actions, deferred = keys[1], keys[2], keys[3], keys[4]
  local group, consumer, id = args[3], args[4], args[5]
  local delay = args[6] ~= '' and number(args[6], 'delay')
  typed(key, 'hash')
  typed(inbox, 'list')
  typed(deferred, 'zset')
  stream(actions)
  permitted({ 'HSET', key, 'f', 'v' })
  putting_off_permitted(actions, deferred, group, id)
  local ours = holds(key, args[1], args[2])
  if ours and redis.call('LLEN', inbox) > number(args[9], 'items') then return 0 end
  local pending = owned(actions, group, consumer, { id })[id]
  if ours then redis.call('HSET', key, 'owner', '', 'owner_until', '0') end
  if pending and delay then
    redis.call('HSET', key, 'wake_ms', text(now_ms() + delay))
    put_off(actions, deferred, group, id, delay, args[7] == '1', args[8])
  elseif pending then
    redis.call('XACK', actions, group, id)
    redis.call('XDEL', actions, id)
  end
  return 1
end

register('group_claim', group_claim, 'allow-oom')
register('incident_take', incident_take, 'allow-oom')
register('journal', journal, 'allow-oom')
register('incident_release', incident_release, 'allow-oom')
