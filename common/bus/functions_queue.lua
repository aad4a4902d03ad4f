-- How entries leave a pending list, wait in the deferred set, and come back.

-- What was published or dropped with fields, once more where people can look at it for a while.
local function keep_recent(recent, args, from, to)
  redis.call('XADD', recent.key, 'MAXLEN', '~', recent.count, '*', unpack(args, from, to))
end

local FINDINGS_SHARE = 1.1 -- of maxmemory; no further one is made then

local function settle_all(keys, args, at, recent)
  bounded(args)
  local key, out, dead, group, consumer = keys[1], keys[2], keys[3], args[1], args[2]
  local ttl = number(args[3], 'fate ttl')
  local entries, ids, publishes, buries, fates = {}, {}, false, false, recent and 5 or 4
  while at <= #args do
    local fields = number(args[at + 5], 'field count')
    local entry = { id = args[at], what = args[at + 1], fate_key = keys[number(args[at + 2], 'fate')],
      fate = args[at + 3], reason = args[at + 4], from = at + 6, to = at + 5 + fields * 2 }
    if entry.to > #args then refuse('REFUSED', 'fewer fields than announced') end
    if args[at + 2] ~= '0' and not entry.fate_key then refuse('REFUSED', 'no such fate key') end
    if entry.what == 'p' or entry.what == 'k' then
      publishes = true
      if fields == 0 then refuse('REFUSED', 'nothing to publish') end
    elseif entry.what == 'b' then
      buries = true
    elseif entry.what ~= 'd' then
      refuse('REFUSED', 'unknown outcome')
    end
    if entry.fate_key then typed(entry.fate_key, 'string') end
    entries[#entries + 1], ids[#ids + 1], at = entry, entry.id, entry.to + 1
  end
  stream(key)
  permitted({ 'XACK', key, group, '0-1' }, { 'XDEL', key, '0-1' })
  if keys[fates] then permitted({ 'SET', keys[fates], 'x', 'PX', ttl }) end
  if publishes then
    if kind(out) == 'findings' then below(FINDINGS_SHARE) end
    stream(out)
    permitted({ 'XADD', out, '*', 'f', 'v' })
  end
  if buries then
    stream(dead)
    permitted({ 'XADD', dead, '*', 'f', 'v' }, { 'XRANGE', key, '-', '+' })
  end
  if recent then
    typed(recent.key, 'stream')
    permitted({ 'XADD', recent.key, '*', 'f', 'v' }, { 'XTRIM', recent.key, 'MINID', 1 })
  end
  local mine = owned(key, group, consumer, ids)

  local answers, done = {}, {}
  for i, entry in ipairs(entries) do
    local deliveries = mine[entry.id]
    mine[entry.id] = nil
    answers[i] = deliveries and 1 or 0
    if deliveries and entry.what == 'b' then
      bury_entry(key, dead, group, entry.id, entry.reason, deliveries, entry.fate_key, ttl)
    elseif deliveries then
      if entry.what == 'p' or entry.what == 'k' then
        redis.call('XADD', out, '*', unpack(args, entry.from, entry.to))
      end
      if recent and entry.to > entry.from and entry.what ~= 'p' then
        keep_recent(recent, args, entry.from, entry.to)
      end
      if entry.fate_key then redis.call('SET', entry.fate_key, entry.fate, 'PX', ttl) end
      done[#done + 1] = entry.id
    end
  end
  if recent then redis.call('XTRIM', recent.key, 'MINID', '~', text(now_ms() - recent.span)) end
  drop(key, group, done)
  return answers
end

-- KEYS in, out, dead, fates...   ARGV group, consumer, fate ttl ms, then per entry: id,
-- p(ublish) | d(rop) | b(ury), index of its fate in KEYS or 0, fate, reason, field count, fields...
-- Answers 1 or 0 (not ours: nothing was done for it) per entry.
local function settle(keys, args)
  return settle_all(keys, args, 4)
end

-- KEYS in, out, dead, recent, fates...   ARGV group, consumer, fate ttl ms, how many are kept, how
-- long ms, then entries as settle has them, and k(ept as well as published). The fields of what is
-- dropped are only kept.
local function settle_keep(keys, args)
  return settle_all(keys, args, 6, { key = keys[4], count = number(args[4], 'count'),
    span = number(args[5], 'span') })
end

-- KEYS in, deferred   ARGV group, consumer, id, delay ms, counted 0 | 1, reason
local function defer(keys, args)
  local key, deferred, group, id = keys[1], keys[2], args[1], args[3]
  local delay = number(args[4], 'delay')
  stream(key)
  typed(deferred, 'zset')
  putting_off_permitted(key, deferred, group, id)
  if not owned(key, group, args[2], { id })[id] then return 0 end
  put_off(key, deferred, group, id, delay, args[5] == '1', args[6])
  return 1
end

-- KEYS in   ARGV group, consumer, ids...   Anybody may take them at once; uncounted.
local function release(keys, args)
  bounded(args)
  local key, group, consumer, released = keys[1], args[1], args[2], 0
  stream(key)
  permitted({ 'XCLAIM', key, group, consumer, 0, '0-1' })
  local ids = { unpack(args, 3) }
  local mine = owned(key, group, consumer, ids)
  for _, id in ipairs(ids) do
    if mine[id] then
      redis.call('XCLAIM', key, group, consumer, 0, id, 'IDLE', DAY_MS, 'RETRYCOUNT',
        math.max(mine[id] - 1, 0), 'JUSTID')
      mine[id], released = nil, released + 1
    end
  end
  return released
end

-- KEYS streams...   ARGV group, then per consumer: index of its stream, name, id count, ids...
-- Renews what is still owned; answers 1 or 0 per id, in order.
local function heartbeat(keys, args)
  bounded(args)
  local group, answers, renewals, at = args[1], {}, {}, 2
  for _, key in ipairs(keys) do
    stream(key)
    permitted({ 'XCLAIM', key, group, 'c', 0, '0-1' })
  end
  while at <= #args do
    local key, consumer, count = keys[number(args[at], 'key')], args[at + 1], number(args[at + 2], 'ids')
    if not key or at + 2 + count > #args then refuse('REFUSED', 'fewer ids than announced') end
    local ids, held = { unpack(args, at + 3, at + 2 + count) }, {}
    local mine = owned(key, group, consumer, ids)
    for _, id in ipairs(ids) do
      answers[#answers + 1] = mine[id] and 1 or 0
      if mine[id] then held[#held + 1] = id end
    end
    if #held > 0 then renewals[#renewals + 1] = { key, consumer, held } end
    at = at + 3 + count
  end
  for _, renewal in ipairs(renewals) do
    local command = { 'XCLAIM', renewal[1], group, renewal[2], 0 }
    for _, id in ipairs(renewal[3]) do command[#command + 1] = id end
    command[#command + 1] = 'JUSTID'
    redis.call(unpack(command))
  end
  return answers
end

-- KEYS in, dead, fate or none   ARGV group, id, limit, idle ms, fate ttl ms
local function bury(keys, args)
  local key, dead, fate_key, group, id = keys[1], keys[2], keys[3], args[1], args[2]
  local limit, ttl = number(args[3], 'limit'), number(args[5], 'fate ttl')
  stream(key)
  stream(dead)
  if fate_key then
    typed(fate_key, 'string')
    permitted({ 'SET', fate_key, 'x', 'PX', ttl })
  end
  permitted({ 'XADD', dead, '*', 'f', 'v' }, { 'XRANGE', key, '-', '+' },
    { 'XACK', key, group, id }, { 'XDEL', key, id })
  local row = redis.call('XPENDING', key, group, 'IDLE', number(args[4], 'idle'), id, id, 1)[1]
  if not row or row[4] < limit then return 0 end
  bury_entry(key, dead, group, id, 'poison: ' .. row[4] .. ' workers ended while they held it',
    row[4], fate_key, ttl)
  return 1
end

local WAKE_SCAN, WAKE_BYTES = 2000, 4194304

-- The stream's key and the rest, unpacked only when wanted is nil or has the key. What is not ours
-- to read gives nil, and stays where it is.
local function unpacked(member, wanted)
  local key, packed = string.match(member, '^([^\n]*)\n(.*)$')
  if not key or (wanted and not wanted[key]) then return nil end
  local ok, entry = pcall(cmsgpack.unpack, packed)
  if not ok or type(entry) ~= 'table' or #entry ~= 7 then return nil end
  return key, entry
end

-- KEYS deferred, streams...   ARGV most at once, how many due ones to step over
-- Answers how many were woken, and what to step over next time: entries of streams that are not
-- among KEYS belong to another process, and must not hide ours behind them. None comes back while
-- a backup copies the streams and then this set: it would be in neither.
local function wake(keys, args)
  local deferred, most, offset = keys[1], number(args[1], 'most'), number(args[2], 'offset')
  local wanted, asked = {}, { 'EXISTS', string.match(deferred, '^.*:') .. 'backup' }
  -- A release back, users may not ask.
  if redis.acl_check_cmd(unpack(asked)) and redis.call(unpack(asked)) == 1 then return { 0, offset } end
  typed(deferred, 'zset')
  permitted({ 'ZREM', deferred, 'x' })
  for i = 2, #keys do
    stream(keys[i])
    permitted({ 'XADD', keys[i], '*', 'f', 'v' })
    wanted[keys[i]] = true
  end
  local now, woken, scanned, bytes = now_ms(), 0, 0, 0
  while woken < most and scanned < WAKE_SCAN and bytes < WAKE_BYTES do
    local due = redis.call('ZRANGE', deferred, '-inf', now, 'BYSCORE', 'LIMIT', offset, 100)
    for _, member in ipairs(due) do
      local key, entry = unpacked(member, wanted)
      if key and woken < most and bytes < WAKE_BYTES then
        local _, first, attempt, counted, since, _, fields = unpack(entry)
        if counted == 0 then first = first + math.max(now - since, 0) end
        local parts = { 'first', text(first), 'attempt', text(attempt) }
        for _, part in ipairs(fields) do parts[#parts + 1] = part end
        redis.call('XADD', key, '*', unpack(parts))
        redis.call('ZREM', deferred, member)
        woken, bytes = woken + 1, bytes + #member
      else
        offset = offset + 1
      end
      scanned = scanned + 1
    end
    if #due < 100 then return { woken, 0 } end
  end
  return { woken, offset }
end

-- KEYS deferred   ARGV prefix of the reason, how many from the latest on to step over
-- Makes one window due; answers how many, and the next offset or -1 at the end.
local function wake_matching(keys, args)
  local deferred, prefix, offset = keys[1], args[1], number(args[2], 'offset')
  typed(deferred, 'zset')
  permitted({ 'ZADD', deferred, 'XX', 1, 'x' })
  local now, changes, kept = now_ms(), { 'ZADD', deferred, 'XX' }, 0
  local window = redis.call('ZRANGE', deferred, offset, offset + 499, 'REV', 'WITHSCORES')
  local last = #window < 1000
  for i = 1, #window, 2 do
    if tonumber(window[i + 1]) <= now then
      last = true
      break
    end
    local _, entry = unpacked(window[i])
    if entry and string.sub(entry[6], 1, #prefix) == prefix then
      changes[#changes + 1] = now
      changes[#changes + 1] = window[i]
    else
      kept = kept + 1
    end
  end
  if #changes > 3 then redis.call(unpack(changes)) end
  return { (#changes - 3) / 2, last and -1 or offset + kept }
end

-- KEYS deferred   ARGV offset, count
local function deferred_list(keys, args)
  local from, count, rows = number(args[1], 'offset'), number(args[2], 'count'), {}
  local window = redis.call('ZRANGE', keys[1], from, from + count - 1, 'WITHSCORES')
  for i = 1, #window, 2 do
    local key, entry = unpacked(window[i])
    if key then
      local id, first, attempt, counted, since, reason, fields = unpack(entry)
      rows[#rows + 1] = { kind(key), id, reason, tonumber(window[i + 1]), first, since, attempt,
        counted, fields }
    end
  end
  return rows
end

-- KEYS dead, stream, fate or none   ARGV id, fate ttl ms
local function dead_replay(keys, args)
  local dead, target, fate_key, id = keys[1], keys[2], keys[3], args[1]
  local ttl, fields, from = number(args[2], 'fate ttl'), {}, nil
  stream(dead)
  stream(target)
  permitted({ 'XADD', target, '*', 'f', 'v' }, { 'XDEL', dead, id })
  if fate_key then
    typed(fate_key, 'string')
    permitted({ 'SET', fate_key, 'queued', 'PX', ttl })
  end
  local row = redis.call('XRANGE', dead, id, id)[1]
  if not row then return 0 end
  for i = 1, #row[2], 2 do
    local name = row[2][i]
    if name == 'dead.stream' then from = row[2][i + 1] end
    if string.sub(name, 1, 5) ~= 'dead.' then
      fields[#fields + 1] = name
      fields[#fields + 1] = row[2][i + 1]
    end
  end
  if from ~= kind(target) or #fields == 0 then
    refuse('REFUSED', 'that entry did not come from ' .. target .. ' or has no fields')
  end
  redis.call('XADD', target, '*', unpack(fields))
  if fate_key then redis.call('SET', fate_key, 'queued', 'PX', ttl) end
  redis.call('XDEL', dead, id)
  return 1
end

-- KEYS stream   ARGV group, idle ms   Removes consumers that hold nothing: with entries in hand they
-- would take those with them.
local function consumers_prune(keys, args)
  local removed = 0
  for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', keys[1], args[1])) do
    local consumer = {}
    for i = 1, #row, 2 do consumer[row[i]] = row[i + 1] end
    if consumer.pending == 0 and consumer.idle >= number(args[2], 'idle') then
      redis.call('XGROUP', 'DELCONSUMER', keys[1], args[1], consumer.name)
      removed = removed + 1
    end
  end
  return removed
end

register('settle', settle, 'allow-oom')
register('settle_keep', settle_keep, 'allow-oom')
register('defer', defer, 'allow-oom')
register('release', release, 'allow-oom')
register('heartbeat', heartbeat, 'allow-oom')
register('bury', bury, 'allow-oom')
register('wake', wake, 'allow-oom')
register('wake_matching', wake_matching, 'allow-oom')
register('deferred_list', deferred_list, 'no-writes')
register('dead_replay', dead_replay, 'allow-oom')
register('consumers_prune', consumers_prune, 'allow-oom')
