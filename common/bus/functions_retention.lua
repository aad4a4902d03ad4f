-- What is over and kept long enough goes.

-- Whether a host is held for the incident.
local function holds_host(host, id)
  for _, member in ipairs(redis.call('SMEMBERS', host)) do
    if string.match(member, ' (%S+)$') == id then return true end
  end
  return false
end

-- Closed, or a rehearsal that did nothing outside; nobody works on it, nothing waits for it, nothing
-- is contained for it, and it is as it was when its copy was made.
local function is_over(keys, args, now)
  local held = redis.call('HMGET', keys[1], 'state', 'shadow', 'undo.due', 'owner_until', 'changed_ms')
  if not held[1] then return 'unknown' end
  if held[1] ~= 'closed' and not (held[2] == '1' and held[1] == 'open') then return 'open' end
  if (tonumber(held[3] or '') or 0) > 0 then return 'holds' end
  for at = 9, #keys do
    if holds_host(keys[at], args[1]) then return 'holds' end
  end
  local changed = tonumber(held[5] or '') or now
  if (tonumber(held[4] or '') or 0) > now or held[5] ~= args[3] or
    changed + number(args[4], 'age') > now or redis.call('LLEN', keys[2]) > 0 then
    return 'busy'
  end
  return nil
end

-- KEYS incident, inbox, findings, timeline, group, open, stuck, asks, hosts...
-- ARGV incident id, "<customer> <id>", changed_ms of what was exported, age ms
-- The incident and all that leads to it, in one step. Answers forgotten | unknown | open | holds | busy.
local function incident_forget(keys, args)
  bounded(args)
  local id, group, open, stuck, asks = args[1], keys[5], keys[6], keys[7], keys[8]
  typed(keys[1], 'hash')
  typed(group, 'string')
  typed(open, 'zset')
  typed(stuck, 'zset')
  typed(asks, 'hash')
  permitted({ 'DEL', unpack(keys, 1, 4) }, { 'DEL', group }, { 'ZREM', open, id }, { 'ZREM', stuck, args[2] },
    { 'HDEL', asks, id })
  local why = is_over(keys, args, now_ms())
  if why then return why end
  local leads = redis.call('GET', group) == id

  redis.call('DEL', unpack(keys, 1, 4))
  if leads then redis.call('DEL', group) end
  redis.call('ZREM', open, id)
  redis.call('ZREM', stuck, args[2])
  redis.call('HDEL', asks, id)
  return 'forgotten'
end

register('incident_forget', incident_forget, 'allow-oom')
