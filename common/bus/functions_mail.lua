-- Mails that wait to be sent: which incidents each is to tell of, and the one being sent.

-- KEYS waiting (sorted set of incidents by time), mail (hash), due (sorted set of digests by time)
-- ARGV digest, incident, wait ms, interval ms
-- A digest is due wait ms after its first incident, and interval ms after its last mail. An incident
-- that is there already is not added again. Answers when the digest is due.
local function mail_add(keys, args)
  local waiting, mail, due = keys[1], keys[2], keys[3]
  local wait, interval, now = number(args[3], 'wait'), number(args[4], 'interval'), now_ms()
  redis.call('ZCARD', waiting)
  redis.call('ZCARD', due)
  local last = tonumber(redis.call('HGET', mail, 'last_ms') or '') or 0
  permitted({ 'ZADD', waiting, 'NX', 1, 'x' }, { 'ZADD', due, 'LT', 1, 'x' })
  local at = math.max(now + wait, last + interval)
  redis.call('ZADD', waiting, 'NX', now, args[2])
  redis.call('ZADD', due, 'LT', at, args[1])
  return tonumber(redis.call('ZSCORE', due, args[1]))
end

-- KEYS waiting, mail, due   ARGV digest, most incidents in a mail, fresh message id, busy ms
-- The mail that is under way, or a new one of what waits; its incidents are fixed from here on, so
-- that it is the same mail however often it is tried. Nobody else is given it for busy ms.
-- Answers {} when there is nothing to send now, else {message id, incidents..., handed id, attempt}.
local function mail_take(keys, args)
  local waiting, mail, due, now = keys[1], keys[2], keys[3], now_ms()
  local most, busy = number(args[2], 'most'), number(args[4], 'busy')
  permitted({ 'HSET', mail, 'f', 'v' }, { 'ZADD', due, 1, 'x' }, { 'ZREM', due, 'x' })
  local at = redis.call('ZSCORE', due, args[1])
  local current = redis.call('HMGET', mail, 'message_id', 'incidents', 'email_id', 'attempt')
  local first = redis.call('ZRANGE', waiting, 0, most - 1)
  if not at or tonumber(at) > now then return {} end
  if not current[1] then
    if #first == 0 then
      redis.call('ZREM', due, args[1])
      return {}
    end
    current = { args[3], table.concat(first, ' '), false, '0' }
    redis.call('HSET', mail, 'message_id', current[1], 'incidents', current[2], 'attempt', '0')
  end
  redis.call('ZADD', due, now + busy, args[1])
  return { current[1], current[2], current[3] or '', current[4] or '0' }
end

-- KEYS waiting, mail, due   ARGV digest, message id, email id or '', attempt, delay ms
-- It is on its way, or is to be tried again, after delay ms. Answers 0 when that mail is over.
local function mail_later(keys, args)
  local mail, due, delay = keys[2], keys[3], number(args[5], 'delay')
  permitted({ 'HSET', mail, 'f', 'v' }, { 'HDEL', mail, 'f' }, { 'ZADD', due, 1, 'x' })
  if redis.call('HGET', mail, 'message_id') ~= args[2] then return 0 end
  if args[3] == '' then redis.call('HDEL', mail, 'email_id')
  else redis.call('HSET', mail, 'email_id', args[3]) end
  redis.call('HSET', mail, 'attempt', args[4])
  redis.call('ZADD', due, now_ms() + delay, args[1])
  return 1
end

-- KEYS waiting, mail, due   ARGV digest, message id, interval ms
-- It was sent. What has come meanwhile is due an interval later. Answers 0 when that mail was over.
local function mail_sent(keys, args)
  local waiting, mail, due = keys[1], keys[2], keys[3]
  local interval, now = number(args[3], 'interval'), now_ms()
  redis.call('ZCARD', waiting)
  permitted({ 'HSET', mail, 'f', 'v' }, { 'HDEL', mail, 'f' }, { 'ZADD', due, 1, 'x' },
    { 'ZREM', due, 'x' }, { 'ZREM', waiting, 'x' })
  local current = redis.call('HMGET', mail, 'message_id', 'incidents')
  if current[1] ~= args[2] then return 0 end
  for id in string.gmatch(current[2] or '', '%S+') do redis.call('ZREM', waiting, id) end
  redis.call('HDEL', mail, 'message_id', 'incidents', 'email_id', 'attempt')
  redis.call('HSET', mail, 'last_ms', text(now))
  if redis.call('ZCARD', waiting) > 0 then
    redis.call('ZADD', due, now + interval, args[1])
  else
    redis.call('ZREM', due, args[1])
  end
  return 1
end

register('mail_add', mail_add, 'allow-oom')
register('mail_take', mail_take, 'allow-oom')
register('mail_later', mail_later, 'allow-oom')
register('mail_sent', mail_sent, 'allow-oom')
