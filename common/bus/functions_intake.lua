-- How events come in. What fills Redis stops early; leases are few and small.

-- From which share of maxmemory on a stream takes in no more. What is said of incidents is small, and
-- else found by the reconciler; others are only written by what drains.
local INTAKE_SHARES = { raw = 0.8, closures = 1 }
local APPEND_ARGS_MAX = 8000 -- many small entries; none of them is unpacked with the others

local function room(target)
  local share = INTAKE_SHARES[kind(target)]
  if share then below(share) end
end

-- Appends events, {fate, first, last} of args each, and writes their fates.
local function queue(target, events, ttl, args)
  for _, event in ipairs(events) do
    redis.call('SET', event[1], 'queued', 'PX', ttl)
    redis.call('XADD', target, 'NOMKSTREAM', '*', unpack(args, event[2], event[3]))
  end
end

-- KEYS lease, cursor, stream, fates...   ARGV token, last 0 | 1, fate ttl ms, field of the cursor
-- that counts what is new or '', cursor field count, cursor fields..., then per event: field count,
-- fields...   Answers 1 (new) or 0 (has a fate already) per event.
local function commit_page(keys, args)
  bounded(args)
  local cursor, target, ttl, counter = keys[2], keys[3], number(args[3], 'fate ttl'), args[4]
  local cursor_to = 5 + number(args[5], 'cursor fields') * 2
  if redis.call('GET', keys[1]) ~= args[1] then
    refuse('STALE', keys[1] .. ' is not held by ' .. args[1])
  end
  room(target)
  stream(target)
  typed(cursor, 'hash')
  permitted({ 'XADD', target, '*', 'f', 'v' }, { 'HSET', cursor, 'f', 'v' },
    { 'HINCRBY', cursor, 'f', 1 })
  if keys[4] then permitted({ 'SET', keys[4], 'x', 'PX', ttl }) end
  if counter ~= '' and not tonumber(redis.call('HGET', cursor, counter) or '0') then
    refuse('REFUSED', counter .. ' of ' .. cursor .. ' is not a number')
  end
  local events, answers, seen, at = {}, {}, {}, cursor_to + 1
  for i = 4, #keys do
    local fields = number(args[at], 'event fields')
    local to = at + fields * 2
    if fields == 0 or to > #args then refuse('REFUSED', 'fewer fields than announced') end
    answers[#answers + 1] = 0
    if not seen[keys[i]] and not typed(keys[i], 'string') then
      seen[keys[i]] = true
      answers[#answers] = 1
      events[#events + 1] = { keys[i], at + 1, to }
    end
    at = to + 1
  end
  if at ~= #args + 1 then refuse('REFUSED', 'more fields than events') end

  queue(target, events, ttl, args)
  if counter ~= '' and #events > 0 then redis.call('HINCRBY', cursor, counter, #events) end
  if args[2] == '1' and cursor_to > 5 then redis.call('HSET', cursor, unpack(args, 6, cursor_to)) end
  return answers
end

-- Keys differ in what follows their kind, which no right looks at: one of each kind is asked about.
local function settable(keys)
  local prefix = ''
  for i = 1, #keys do
    if keys[i] and (prefix == '' or string.sub(keys[i], 1, #prefix) ~= prefix) then
      permitted({ 'SET', keys[i], 'x', 'PX', 1 })
      prefix = string.match(keys[i], '^(.-}:%a+:)') or ''
    end
  end
end

-- What the nonce was taken for before, or false; takes it when ttl (a text) is not 0. Something else
-- under its name counts as taken for something else: an error here would come after the first write.
local function take_nonce(key, value, ttl)
  local before
  if ttl ~= '0' then
    before = redis.pcall('SET', key, value, 'NX', 'GET', 'PX', ttl)
  else
    before = redis.pcall('GET', key)
  end
  return type(before) == 'table' and '\n' or before
end

-- KEYS stream, nonces and fates...   ARGV fate ttl ms, then per item: index of its nonce or 0, what
-- the nonce is taken for, nonce ttl ms (0: only looked at), index of its fate or 0, field count,
-- fields...   Answers per item: 0 added, 1 nonce taken for the same before, 2 has a fate already,
-- 3 nonce taken for something else.
local function append(keys, args)
  if #args > APPEND_ARGS_MAX then refuse('REFUSED', 'more than 8000 arguments') end
  local target, ttl, items, at = keys[1], args[1], {}, 2
  local nonces, fates = {}, {}
  number(ttl, 'fate ttl')
  room(target)
  stream(target)
  permitted({ 'XADD', target, '*', 'f', 'v' })
  while at <= #args do
    local to = at + 4 + number(args[at + 4], 'field count') * 2
    if to == at + 4 or to > #args then refuse('REFUSED', 'fewer fields than announced') end
    number(args[at + 2], 'ttl')
    items[#items + 1] = at
    nonces[#items] = keys[number(args[at], 'nonce')] or false
    fates[#items] = keys[number(args[at + 3], 'fate')] or false
    at = to + 1
  end
  settable(nonces)
  settable(fates)
  items[#items + 1] = at

  -- Numbers are passed on as the texts they came as: writing them anew costs as much as a command.
  local answers = {}
  for i = 1, #items - 1 do
    local from, answer = items[i], 0
    local before = nonces[i] and take_nonce(nonces[i], args[from + 1], args[from + 2])
    if before then
      answer = before == args[from + 1] and 1 or 3
    elseif fates[i] and not redis.call('SET', fates[i], 'queued', 'NX', 'PX', ttl) then
      answer = 2
    else
      redis.call('XADD', target, 'NOMKSTREAM', '*', unpack(args, from + 5, items[i + 1] - 1))
    end
    answers[i] = answer
  end
  return answers
end

-- KEYS stream, fates...   ARGV fate ttl ms, then per event: the fate that was seen, field count, fields...
-- Answers per event: 1 taken, 0 its fate is another by now.
local function append_again(keys, args)
  bounded(args)
  local target, ttl, answers, at = keys[1], number(args[1], 'fate ttl'), {}, 2
  local events, seen = {}, {}
  room(target)
  stream(target)
  permitted({ 'XADD', target, '*', 'f', 'v' })
  for i = 2, #keys do
    local to = at + 1 + number(args[at + 1], 'field count') * 2
    if to == at + 1 or to > #args then refuse('REFUSED', 'fewer fields than announced') end
    permitted({ 'SET', keys[i], 'x', 'PX', ttl })
    local same = not seen[keys[i]] and typed(keys[i], 'string') and
      redis.call('GET', keys[i]) == args[at]
    answers[i - 1], seen[keys[i]] = same and 1 or 0, true
    if same then events[#events + 1] = { keys[i], at + 2, to } end
    at = to + 1
  end
  if at ~= #args + 1 then refuse('REFUSED', 'more fields than events') end
  queue(target, events, ttl, args)
  return answers
end

-- KEYS lease, fence   ARGV owner, ttl ms   Answers {1, token} or {0, holder's token}.
local function lease_take(keys, args)
  local owner, ttl = args[1], number(args[2], 'ttl')
  typed(keys[1], 'string')
  typed(keys[2], 'string')
  permitted({ 'SET', keys[1], 'x', 'PX', ttl }, { 'INCR', keys[2] })
  local token = redis.call('GET', keys[1])
  if token and string.match(token, '^(.*):%d+$') ~= owner then return { 0, token } end
  token = token or owner .. ':' .. text(redis.call('INCR', keys[2]))
  redis.call('SET', keys[1], token, 'PX', ttl)
  return { 1, token }
end

-- KEYS lease   ARGV token, ttl ms (0 gives it up)
local function lease_renew(keys, args)
  local ttl = number(args[2], 'ttl')
  permitted({ 'PEXPIRE', keys[1], 1 }, { 'DEL', keys[1] })
  if redis.call('GET', keys[1]) ~= args[1] then
    if ttl == 0 then return 0 end
    refuse('STALE', keys[1] .. ' is not held by ' .. args[1])
  end
  if ttl == 0 then return redis.call('DEL', keys[1]) end
  return redis.call('PEXPIRE', keys[1], ttl)
end

register('commit_page', commit_page)
register('append', append, 'allow-oom')
register('append_again', append_again)
register('lease_take', lease_take, 'allow-oom')
register('lease_renew', lease_renew, 'allow-oom')
