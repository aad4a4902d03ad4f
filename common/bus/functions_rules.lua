-- How often each rule matched, for people.

local RULE_FIELDS_MAX = 6000 -- of 1,000 rules; setup takes out what is no longer there

-- KEYS rules   ARGV per rule: name, matches, errors, text of the last error or '', why it is left
-- out or ''
local function rule_hits(keys, args)
  bounded(args)
  local key, hits = keys[1], {}
  if #args % 5 ~= 0 then refuse('REFUSED', 'five arguments for each rule') end
  for at = 1, #args, 5 do
    local name = args[at]
    if #name > 48 or not string.match(name, '^[a-z0-9-]+$') then refuse('REFUSED', 'bad name') end
    hits[#hits + 1] = { name = name, matches = number(args[at + 1], 'matches'),
      errors = number(args[at + 2], 'errors'), why = args[at + 3], out = args[at + 4] }
  end
  if redis.call('HLEN', key) > RULE_FIELDS_MAX then refuse('REFUSED', 'too many rules') end
  permitted({ 'HINCRBY', key, 'f', 1 }, { 'HSET', key, 'f', 'v' })
  local now = text(now_ms())
  for _, hit in ipairs(hits) do
    if hit.matches > 0 then
      redis.call('HINCRBY', key, hit.name, hit.matches)
      redis.call('HSET', key, hit.name .. ':last', now)
    end
    if hit.errors > 0 then
      redis.call('HINCRBY', key, hit.name .. ':errors', hit.errors)
      redis.call('HSET', key, hit.name .. ':error', string.sub(hit.why, 1, 400))
    end
    if hit.out ~= '' then redis.call('HSET', key, hit.name .. ':out', string.sub(hit.out, 1, 400)) end
  end
  return #hits
end

register('rule_hits', rule_hits, 'allow-oom')
