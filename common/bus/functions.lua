#!lua name=tocsin
-- What must happen as one step in Redis. Loaded by `tocsin setup`, called through bus/*.h only.
--
-- A run-time error in the middle keeps earlier writes (measured), so every function makes all its
-- checks before its first write: argument count, types, ownership, and the caller's permission for
-- each command (functions run with the caller's rights). Time is Redis's own. A call repeated after
-- a lost answer finds its entries settled, or its write on record, and changes nothing.
--
-- Flag allow-oom: what frees memory or records what was done must work when Redis is full, or it
-- could never drain. commit_page does not have it, and what comes in stops at 80 % already. A finding
-- is twice as large as what it was made of, and an incident larger still, so what was queued does not
-- drain for ever: making findings stops at 110 %, opening incidents at 120 %. What is open goes on.
--
-- Functions only grow: a changed meaning is a new name, the old one goes a release later; either
-- way VERSION grows. A library is one text: this file and functions_*.lua are joined when loading.

local VERSION = 7
local ARGS_MAX = 4000
local DAY_MS = 86400000
local PARTS_MAX = 3000 -- names and values of one entry that one command can take


local function refuse(code, text)
  error({ err = code .. ' ' .. text })
end

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function text(number)
  return string.format('%d', number)
end

local function number(s, what)
  local n = tonumber(s)
  if not n or n < 0 or n ~= n then refuse('REFUSED', 'not a number: ' .. what) end
  return n
end

local function bounded(args)
  if #args > ARGS_MAX then refuse('REFUSED', 'more than 4000 arguments') end
end

-- Each row is a command as it will be run.
local function permitted(...)
  for _, command in ipairs({ ... }) do
    if not redis.acl_check_cmd(unpack(command)) then
      refuse('NOPERM', 'this user may not run ' .. command[1] .. ' on ' .. (command[2] or ''))
    end
  end
end

local function typed(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then
    refuse('WRONGTYPE', key .. ' is a ' .. found .. ', not a ' .. kind)
  end
  return found ~= 'none'
end

local function stream(key)
  if not typed(key, 'stream') then refuse('NOSTREAM', key .. ' is missing; setup makes it') end
end

-- Which of these entries the consumer holds: a table from id to delivery count. One look at the
-- consumer's own list; it never holds many. One that was handed back (release) has its name still,
-- and the idle time of a day: a heartbeat that comes after it would keep it from all others.
local function owned(key, group, consumer, ids)
  local mine, rows = {}, nil
  local function add(row)
    if row and row[3] < DAY_MS / 2 then mine[row[1]] = row[4] end
  end
  if #ids > 1 then
    rows = redis.call('XPENDING', key, group, '-', '+', 1000, consumer)
    for _, row in ipairs(rows) do add(row) end
    if #rows < 1000 then return mine end
  end
  for _, id in ipairs(ids) do
    add(redis.call('XPENDING', key, group, id, id, 1, consumer)[1])
  end
  return mine
end

-- The entry's fields without the bus's own two, and those: first seen, attempt.
local function body(key, id)
  local rows = redis.call('XRANGE', key, id, id)
  local fields, first, attempt = {}, nil, 0
  local given = rows[1] and rows[1][2] or {}
  for i = 1, #given, 2 do
    if given[i] == 'first' then
      first = tonumber(given[i + 1])
    elseif given[i] == 'attempt' then
      attempt = tonumber(given[i + 1]) or 0
    else
      fields[#fields + 1] = given[i]
      fields[#fields + 1] = given[i + 1]
    end
  end
  local added = tonumber(string.match(id, '^(%d+)')) or 0
  if not first or first < 0 or first > added + DAY_MS then first = added end
  if attempt < 0 or attempt > 1e9 then attempt = 0 end
  return fields, first, attempt, rows[1] ~= nil
end

-- An incident's worker is to look at it: a step of the trace that began it, with a span of its own.
local function wake_up(actions, incident, id)
  local trace = redis.call('HGET', incident, 'trace') or ''
  local version, trace_id, flags = string.match(trace, '^(00%-)(%x+%-)%x+(%-%x%x)$')
  if version then
    trace = version .. trace_id .. string.sub(redis.sha1hex(trace .. text(now_ms())), 1, 16) .. flags
  end
  redis.call('XADD', actions, 'NOMKSTREAM', '*', 'v', '1', 'incident', id, 'trace', trace)
end

-- Refused when more than this share of maxmemory is used. Users of a release back may not ask.
local function below(share)
  if not redis.acl_check_cmd('INFO', 'memory') then return end
  local info = redis.call('INFO', 'memory')
  local max = tonumber(string.match(info, '\nmaxmemory:(%d+)')) or 0
  local used = tonumber(string.match(info, 'used_memory:(%d+)')) or 0
  if max > 0 and used >= max * share then
    refuse('FULL', text(used) .. ' of ' .. text(max) .. ' bytes used; what is queued must drain')
  end
end

local function drop(key, group, ids)
  if #ids == 0 then return end
  redis.call('XACK', key, group, unpack(ids))
  redis.call('XDEL', key, unpack(ids))
end

local function kind(key)
  return string.match(key, '}:(.*)$') or key
end

local function bury_entry(key, dead, group, id, reason, deliveries, fate_key, fate_ttl)
  local fields, first, attempt = body(key, id)
  local entry = { 'dead.stream', kind(key), 'dead.entry', id, 'dead.reason', reason,
    'dead.first', text(first), 'dead.attempts', text(attempt), 'dead.deliveries', deliveries,
    'dead.fate', fate_key or '' }
  if #fields > PARTS_MAX then fields = { 'dead.packed', cmsgpack.pack(fields) } end
  for _, part in ipairs(fields) do entry[#entry + 1] = part end
  local dead_id = redis.call('XADD', dead, '*', unpack(entry))
  if fate_key then redis.call('SET', fate_key, 'dead:' .. dead_id, 'PX', fate_ttl) end
  drop(key, group, { id })
end

-- In the deferred set an entry is its stream's key, a line feed, and the packed rest, so that wake
-- can pass over other streams' entries without unpacking them.
local function put_off(key, deferred, group, id, delay, counted, reason)
  local fields, first, attempt, exists = body(key, id)
  local now = now_ms()
  if exists then
    if counted then attempt = attempt + 1 end
    redis.call('ZADD', deferred, now + delay, key .. '\n' ..
      cmsgpack.pack({ id, first, attempt, counted and 1 or 0, now, reason, fields }))
  end
  drop(key, group, { id })
end

local function putting_off_permitted(key, deferred, group, id)
  permitted({ 'XRANGE', key, '-', '+' }, { 'ZADD', deferred, 1, 'x' }, { 'XACK', key, group, id },
    { 'XDEL', key, id })
end

local function register(name, callback, ...)
  redis.register_function({ function_name = name, callback = callback, flags = { ... } })
end

-- KEYS key   ARGV a command's name, what follows its key...
-- One small write that has to be possible when Redis is full, as its caller could send it otherwise.
local function always(keys, args)
  bounded(args)
  local command = { args[1], keys[1], unpack(args, 2) }
  permitted(command)
  return redis.call(unpack(command))
end

-- KEYS hash   ARGV "#version" that was seen or 0, the new one, how many fields to set, names and
-- values..., names to remove...   Answers 0 when another has changed it since, else 1. One by one:
-- there may be more than a command can take.
local function hash_change(keys, args)
  local key, set_to = keys[1], 3 + 2 * number(args[3], 'field count')
  typed(key, 'hash')
  permitted({ 'HSET', key, 'f', 'v' }, { 'HDEL', key, 'f' })
  if set_to > #args then refuse('REFUSED', 'fewer fields than announced') end
  if (redis.call('HGET', key, '#version') or '0') ~= args[1] then return 0 end
  for i = 4, set_to, 2 do redis.call('HSET', key, args[i], args[i + 1]) end
  for i = set_to + 1, #args do redis.call('HDEL', key, args[i]) end
  redis.call('HSET', key, '#version', args[2])
  return 1
end

-- KEYS any   Answers what DUMP says of each, all of the same moment.
local function dump(keys)
  local dumps = {}
  for i, key in ipairs(keys) do dumps[i] = redis.call('DUMP', key) end
  return dumps
end

register('version', function() return VERSION end, 'no-writes')
register('always', always, 'allow-oom')
register('hash_change', hash_change, 'allow-oom')
register('dump', dump, 'no-writes')
