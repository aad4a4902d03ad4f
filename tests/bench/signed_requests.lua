-- wrk: requests that were signed beforehand, each once. The file holds them one after the other, each with
-- its size in front; thread n of t takes every t-th.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  local file, total = assert(io.open(args[1], "rb")), tonumber(args[2])
  requests, at = {}, 0
  for i = 0, math.huge do
    local size = file:read(8)
    if not size then break end
    local text = file:read(tonumber(size))
    if i % total == number then requests[#requests + 1] = text end
  end
  file:close()
end

function request()
  at = at + 1
  return requests[(at - 1) % #requests + 1]
end
