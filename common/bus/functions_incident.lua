-- From finding to incident, and whose turn it is to work on one.

local INCIDENTS_SHARE = 1.2 -- of maxmemory; no further one is opened then
local LIST_CAP = 200 -- findings and timeline kept per incident
local STORM_MAX = 1000 -- incidents within a span that a limit can allow

-- The incident that another state of the same record went to.
local function claim_known(plan, subject_key)
  if not subject_key then return nil end
  return plan.subjects[subject_key] or
    string.match(redis.call('GET', subject_key) or '', '^incident:(.*)$')
end

-- plan holds what earlier findings of the same call will have done.
local function claim_state(plan, prefix, id)
  return plan.opened[id] and 'opening' or redis.call('HGET', prefix .. id, 'state')
end

local function claim_joinable(plan, prefix, id)
  local state = claim_state(plan, prefix, id)
  return state == 'opening' or state == 'open'
end

-- The incident of that group, and whether a finding can still join it.
local function claim_current(plan, prefix, group_key)
  local current = plan.groups[group_key] or redis.call('GET', group_key)
  return current, current and claim_joinable(plan, prefix, current)
end

-- Whether so many were opened within the span already. The list holds when the last of them were.
local function claim_storm_full(plan, storm, now)
  local count = plan.storms[storm.key] or 0
  for _, opened in ipairs(redis.call('LRANGE', storm.key, -storm.limit, -1)) do
    if tonumber(opened) > now - storm.span then count = count + 1 end
  end
  return count >= storm.limit
end

-- Beyond the limit of a storm one incident stands for all; each group then leads there.
local function claim_summary(plan, prefix, claim)
  local storm = claim.storm
  local summary, joinable = claim_current(plan, prefix, storm.group_key)
  claim.attached = true
  if not joinable then
    summary = storm.candidate
    if claim_state(plan, prefix, summary) then return summary, 'recorded' end
    plan.groups[storm.group_key], plan.opened[summary] = summary, true
    claim.opens, claim.opens_group = storm, storm.group_key
  end
  plan.groups[claim.group_key] = summary
  return summary, joinable and 'attached' or 'opened'
end

-- Decides where one finding goes: the incident, the outcome, and what held the group before.
-- What is known of its record counts more than its group: a vendor may name the group later.
local function claim_target(plan, prefix, claim, now)
  local group_key, candidate, storm = claim.group_key, claim.candidate, claim.storm
  local current, joinable = claim_current(plan, prefix, group_key)
  local known = claim_known(plan, claim.subject_key)
  if current == candidate then return candidate, 'recorded' end
  if known and known ~= candidate and claim_joinable(plan, prefix, known) then
    claim.lends = current ~= known and not joinable
    if claim.lends then plan.groups[group_key] = known end
    return known, 'joined'
  end
  if joinable then return current, 'joined' end
  if candidate == '' then return nil, 'recorded' end
  if claim_state(plan, prefix, candidate) then return candidate, 'recorded' end
  if storm and claim_storm_full(plan, storm, now) then return claim_summary(plan, prefix, claim) end
  if storm then plan.storms[storm.key] = (plan.storms[storm.key] or 0) + 1 end
  plan.groups[group_key], plan.opened[candidate] = candidate, true
  claim.opens, claim.opens_group = claim, group_key
  return candidate, 'opened', current or redis.call('GET', group_key .. ':previous')
end

-- LLEN and HGET of a wrong type are errors before anything is written, and cheaper than TYPE.
local function claim_checks(incident, claim)
  redis.call('HGET', incident, 'state')
  redis.call('LLEN', incident .. ':inbox')
  redis.call('LLEN', incident .. ':findings')
  permitted({ 'HSET', incident, 'f', 'v' }, { 'HINCRBY', incident, 'findings', 1 },
    { 'RPUSH', incident .. ':inbox', 'x' }, { 'RPUSH', incident .. ':findings', 'x' },
    { 'LTRIM', incident .. ':findings', 0, 1 }, { 'SET', claim.group_key, 'x' })
  if claim.storm then
    permitted({ 'RPUSH', claim.storm.key, 'x' }, { 'LTRIM', claim.storm.key, 0, 1 },
      { 'PEXPIRE', claim.storm.key, 1 }, { 'SET', claim.storm.group_key, 'x' })
  end
end

-- Later states of the record, and others of a group that has no incident of its own, come here too.
local function claim_remember(claim, ttl)
  if claim.outcome == 'recorded' or not claim.subject_key then return end
  redis.call('SET', claim.subject_key, 'incident:' .. claim.incident, 'PX', ttl)
  if claim.lends then redis.call('SET', claim.group_key, claim.incident, 'PX', ttl) end
end

local function claim_open(args, incident, claim, call)
  local fields = { unpack(args, claim.opens.from, claim.opens.to) }
  for _, part in ipairs({ 'state', 'opening', 'fence', '0', 'findings', '1', 'severity',
    text(claim.severity), 'created_ms', text(call.now), 'changed_ms', text(call.now),
    'group_key', claim.opens_group, 'previous', claim.previous or '' }) do
    fields[#fields + 1] = part
  end
  redis.call('HSET', incident, unpack(fields))
  redis.call('SET', claim.opens_group, claim.incident)
  redis.call('RPUSH', incident .. ':inbox', claim.open_item)
  redis.call('ZADD', call.open, call.now, claim.incident)
end

local function claim_count(incident, claim, now)
  if claim.outcome ~= 'recorded' then
    local item = claim.note_item ~= '' and claim.note_item or claim.open_item
    redis.call('RPUSH', incident .. ':inbox', item)
  end
  redis.call('HINCRBY', incident, 'findings', 1)
  local severity = math.max(claim.severity, tonumber(redis.call('HGET', incident, 'severity')) or 0)
  redis.call('HSET', incident, 'severity', text(severity), 'changed_ms', text(now))
end

-- One more that counts towards the limit, or a group that leads to the summary from now on, as
-- long as fates are kept.
local function claim_storm(claim, call)
  local storm = claim.storm
  if claim.outcome == 'recorded' then return end
  if claim.attached then
    redis.call('SET', claim.group_key, claim.incident, 'PX', call.ttl)
  elseif claim.outcome == 'opened' then
    redis.call('RPUSH', storm.key, text(call.now))
    redis.call('LTRIM', storm.key, -storm.limit, -1)
    redis.call('PEXPIRE', storm.key, storm.span)
  end
end

local function claim_write(args, incident, claim, call)
  if claim.outcome == 'opened' then
    claim_open(args, incident, claim, call)
  else
    claim_count(incident, claim, call.now)
  end
  if claim.storm then claim_storm(claim, call) end
  if redis.call('RPUSH', incident .. ':findings', claim.summary) > LIST_CAP then
    redis.call('LTRIM', incident .. ':findings', -LIST_CAP, -1)
  end
end

-- Reads one finding from ARGV at; returns where the next begins.
local function claim_read(keys, args, at)
  local storm_at, limit = number(args[at + 4], 'storm'), number(args[at + 10], 'limit')
  local fields = number(args[at + 13], 'field count')
  local claim = { id = args[at], group_key = keys[number(args[at + 1], 'group')],
    fate_key = keys[number(args[at + 2], 'fate')],
    subject_key = keys[number(args[at + 3], 'subject')], candidate = args[at + 5],
    open_item = args[at + 6], note_item = args[at + 7], summary = args[at + 8],
    severity = number(args[at + 9], 'severity'), recorded = args[at + 12], from = at + 14,
    to = at + 13 + fields * 2 }
  local after = claim.to + 1
  if storm_at > 0 then
    local more = number(args[after + 1], 'field count')
    claim.storm = { key = keys[storm_at], group_key = keys[storm_at + 1], limit = limit,
      span = number(args[at + 11], 'span'), candidate = args[after], from = after + 2,
      to = after + 1 + more * 2 }
    after = claim.storm.to + 1
    if limit < 1 or limit > STORM_MAX or not claim.storm.group_key then
      refuse('REFUSED', 'bad storm limit')
    end
  end
  if after > #args + 1 or not claim.group_key then refuse('REFUSED', 'bad finding') end
  return claim, after
end

-- KEYS findings, actions, group keys, fates, subjects, storm counters each followed by the summary's group...
-- ARGV group, consumer, fate ttl ms, prefix of incident keys, then per finding: id, index of its
-- group key, of its fate or 0, of its subject or 0, of its storm counter or 0, candidate, open item, note item or '' for
-- the same, summary, severity, storm limit, storm span ms, fate when nothing is opened, field count,
-- fields..., and with a storm counter: candidate for the summary, field count, fields...
-- Keys of the incidents themselves are reached by the prefix: which one is known only here. Carries
-- allow-oom: findings that cannot become incidents could never leave a full Redis. There is an end to
-- that, too: FULL, where one would be opened.
-- A finding without a candidate ('') joins what is open and opens nothing. One that would be one
-- too many for its storm opens or joins the summary instead. A subject is the fate of the record
-- that the finding is a state of: it names the incident of all its states.
-- Answers {not ours | opened | joined | attached | recorded, incident id} per finding.
local function group_claim(keys, args)
  bounded(args)
  local key, actions, group, ttl, prefix = keys[1], keys[2], args[1], number(args[3], 'ttl'), args[4]
  local claims, ids, at, now = {}, {}, 5, now_ms()
  while at <= #args do
    local claim
    claim, at = claim_read(keys, args, at)
    claims[#claims + 1], ids[#ids + 1] = claim, claim.id
  end
  local open = string.gsub(prefix, 'incident:$', 'open') -- what the reconciler watches
  stream(key)
  stream(actions)
  typed(open, 'zset')
  permitted({ 'XACK', key, group, '0-1' }, { 'XDEL', key, '0-1' }, { 'XADD', actions, '*', 'f', 'v' },
    { 'ZADD', open, 1, 'x' })
  local mine, plan = owned(key, group, args[2], ids),
    { groups = {}, opened = {}, subjects = {}, storms = {} }
  for _, claim in ipairs(claims) do
    claim.ours, mine[claim.id] = mine[claim.id], nil
    if claim.ours then
      claim.incident, claim.outcome, claim.previous = claim_target(plan, prefix, claim, now)
      if claim.incident then claim_checks(prefix .. claim.incident, claim) end
      if claim.fate_key then
        redis.call('GET', claim.fate_key)
        permitted({ 'SET', claim.fate_key, 'x', 'PX', ttl })
      end
      if claim.subject_key and claim.incident then
        permitted({ 'SET', claim.subject_key, 'x', 'PX', ttl })
        plan.subjects[claim.subject_key] = claim.outcome ~= 'recorded' and claim.incident or nil
      end
    end
  end

  if next(plan.opened) then below(INCIDENTS_SHARE) end

  local answers, done, call = {}, {}, { now = now, open = open, ttl = ttl }
  for i, claim in ipairs(claims) do
    answers[i] = { claim.outcome or 'not ours', claim.incident or '' }
    if claim.ours then
      if claim.incident then
        claim_write(args, prefix .. claim.incident, claim, call)
        claim_remember(claim, ttl)
      end
      if claim.outcome ~= 'recorded' then
        wake_up(actions, prefix .. claim.incident, claim.incident)
      end
      if claim.fate_key then
        local fate = claim.incident and 'incident:' .. claim.incident or claim.recorded
        redis.call('SET', claim.fate_key, fate, 'PX', ttl)
      end
      done[#done + 1] = claim.id
    end
  end
  drop(key, group, done)
  return answers
end

-- KEYS incident, inbox   ARGV owner, ttl ms
-- Answers {0, owner until, now}, or {1, fence, now}; the fence of what does not exist is 0.
local function incident_take(keys, args)
  local owner, ttl, now = args[1], number(args[2], 'ttl'), now_ms()
  permitted({ 'HSET', keys[1], 'f', 'v' })
  redis.call('LLEN', keys[2])
  local held = redis.call('HMGET', keys[1], 'owner', 'owner_until', 'fence')
  if not held[3] then return { 1, 0, now } end
  local till = tonumber(held[2] or '') or 0
  if held[1] and held[1] ~= '' and held[1] ~= owner and till > now then return { 0, till, now } end
  local fence = (tonumber(held[3]) or 0) + 1
  redis.call('HSET', keys[1], 'owner', owner, 'owner_until', text(now + ttl), 'fence', text(fence),
    'written', '')
  return { 1, fence, now }
end

local function holds(key, owner, fence)
  local held = redis.call('HMGET', key, 'owner', 'fence', 'written')
  if held[2] ~= fence or (held[1] ~= owner and held[1] ~= '') then
    refuse('STALE', 'fence ' .. fence .. ' of ' .. key .. ' is not the newest')
  end
  return held[1] == owner, held[3]
end

-- One write of the journal, read from ARGV after at: owner, fence, ttl ms, mark of this write, items done,
-- timeline entry, keep | drop | take, incident id, time to keep the name of the previous incident
-- ms, field count, fields..., names to delete...
local function write_read(args, at)
  local write = { owner = args[at + 1], fence = args[at + 2], ttl = number(args[at + 3], 'ttl'),
    mark = args[at + 4], done = number(args[at + 5], 'items'), timeline = args[at + 6],
    change = args[at + 7], id = args[at + 8], keep_ms = number(args[at + 9], 'keep'), args = args,
    set_from = at + 11, set_to = at + 10 + number(args[at + 10], 'fields') * 2 }
  if write.set_to > #args then refuse('REFUSED', 'fewer fields than announced') end
  return write
end

local function write_group_checks(write, group_key)
  if not group_key then refuse('REFUSED', 'no group key') end
  typed(group_key .. ':previous', 'string')
  permitted({ 'SET', group_key, 'x' }, { 'DEL', group_key },
    { 'SET', group_key .. ':previous', 'x', 'PX', 1 })
  write.holder = redis.call('GET', group_key)
end

-- Everything that could go wrong with it. LLEN of a wrong type is an error, and cheaper than TYPE.
local function write_checks(write, key, inbox, timeline, group_key)
  permitted({ 'HSET', key, 'f', 'v' })
  if write.set_to < #write.args then permitted({ 'HDEL', key, 'f' }) end
  write.waiting = redis.call('LLEN', inbox)
  if write.done > 0 then permitted({ 'LTRIM', inbox, 0, 1 }) end
  if write.timeline ~= '' then
    redis.call('LLEN', timeline)
    permitted({ 'RPUSH', timeline, 'x' }, { 'LTRIM', timeline, 0, 1 })
  end
  if write.change ~= 'keep' then write_group_checks(write, group_key) end
  write.ours, write.written = holds(key, write.owner, write.fence)
end

local function write_group(write, group_key)
  if write.change == 'take' then
    redis.call('SET', group_key, write.id)
  elseif write.change == 'drop' and write.holder == write.id then
    redis.call('DEL', group_key)
    redis.call('SET', group_key .. ':previous', write.id, 'PX', write.keep_ms)
  end
end

-- more: names and values that are written with the rest.
local function write_all(write, key, inbox, timeline, group_key, more)
  local args, set, now = write.args, {}, now_ms()
  if write.set_to > write.set_from then set = { unpack(args, write.set_from, write.set_to) } end
  for _, part in ipairs({ 'owner', write.owner, 'fence', write.fence, 'written', write.mark,
    'owner_until', text(now + write.ttl), 'changed_ms', text(now) }) do
    set[#set + 1] = part
  end
  for _, part in ipairs(more) do set[#set + 1] = part end
  redis.call('HSET', key, unpack(set))
  if write.set_to < #args then redis.call('HDEL', key, unpack(args, write.set_to + 1)) end
  if write.done > 0 then redis.call('LTRIM', inbox, write.done, -1) end
  if write.timeline ~= '' and redis.call('RPUSH', timeline, write.timeline) > LIST_CAP then
    redis.call('LTRIM', timeline, -LIST_CAP, -1)
  end
  write_group(write, group_key)
end

-- KEYS incident, inbox, timeline, group key or none   ARGV a write
-- Answers 1, or 0 when the group was to be taken and is another's (nothing is written then).
local function journal(keys, args)
  bounded(args)
  local write = write_read(args, 0)
  write_checks(write, keys[1], keys[2], keys[3], keys[4])
  if not write.ours then refuse('STALE', keys[1] .. ' was released') end
  if write.written == write.mark then return 1 end
  if write.change == 'take' and write.holder and write.holder ~= write.id then return 0 end
  write_all(write, keys[1], keys[2], keys[3], keys[4], {})
  return 1
end

-- How a turn ends, read from seven arguments: group, consumer, id of the wake-up, delay ms or '',
-- counted 0 | 1, reason, items of the inbox that stay.
local function end_read(args, from)
  return { group = args[from], consumer = args[from + 1], id = args[from + 2],
    delay = args[from + 3] ~= '' and number(args[from + 3], 'delay'),
    counted = args[from + 4] == '1', reason = args[from + 5],
    stay = number(args[from + 6], 'items') }
end

local function end_checks(turn, actions, deferred)
  if turn.delay then
    redis.call('ZCARD', deferred)
    putting_off_permitted(actions, deferred, turn.group, turn.id)
  else
    permitted({ 'XACK', actions, turn.group, turn.id }, { 'XDEL', actions, turn.id })
  end
  turn.pending = owned(actions, turn.group, turn.consumer, { turn.id })[turn.id]
end

local function end_settle(turn, actions, deferred)
  if turn.pending and turn.delay then
    put_off(actions, deferred, turn.group, turn.id, turn.delay, turn.counted, turn.reason)
  elseif turn.pending then
    drop(actions, turn.group, { turn.id })
  end
end

-- What the hash says of a turn that is over.
local function end_fields(turn)
  local fields = { 'owner', '', 'owner_until', '0' }
  if turn.pending and turn.delay then
    fields[5], fields[6] = 'wake_ms', text(now_ms() + turn.delay)
  end
  return fields
end

-- KEYS incident, inbox, actions, deferred   ARGV owner, fence, an end
-- Answers 0 when there are more: whoever put them there saw us busy, so we must go on.
local function incident_release(keys, args)
  local key, actions, deferred = keys[1], keys[3], keys[4]
  local turn = end_read(args, 3)
  permitted({ 'HSET', key, 'f', 'v' })
  end_checks(turn, actions, deferred)
  local ours = holds(key, args[1], args[2])
  if redis.call('LLEN', keys[2]) > turn.stay and ours then return 0 end
  if ours then redis.call('HSET', key, unpack(end_fields(turn))) end
  end_settle(turn, actions, deferred)
  return 1
end

-- KEYS incident, inbox, timeline, actions, deferred, group key or none   ARGV an end, a write
-- Both in one step; a write whose mark is known is not repeated. Answers 1, or 0 when there is more
-- in the inbox: then it was written and not released.
local function incident_finish(keys, args)
  bounded(args)
  local key, inbox, timeline, group_key = keys[1], keys[2], keys[3], keys[6]
  local turn, write = end_read(args, 1), write_read(args, 7)
  write_checks(write, key, inbox, timeline, group_key)
  end_checks(turn, keys[4], keys[5])
  local again = write.written == write.mark
  if write.change == 'take' then refuse('REFUSED', 'a group is not taken at the end') end
  if not write.ours and not again then refuse('STALE', key .. ' was released') end
  local over = not write.ours or write.waiting - (again and 0 or write.done) <= turn.stay
  local more = over and end_fields(turn) or {}
  if not again then
    write_all(write, key, inbox, timeline, group_key, more)
  elseif write.ours and over then
    redis.call('HSET', key, unpack(more))
  end
  if over then end_settle(turn, keys[4], keys[5]) end
  return over and 1 or 0
end

register('group_claim', group_claim, 'allow-oom')
register('incident_take', incident_take, 'allow-oom')
register('journal', journal, 'allow-oom')
register('incident_release', incident_release, 'allow-oom')
register('incident_finish', incident_finish, 'allow-oom')
