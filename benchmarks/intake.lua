-- Sends bodies of one form, each under keys of its own, as wrk's threads ask for them.
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("mine", threads)
end

function init(args)
  form, many, run, token, people = args[1], tonumber(args[2]), args[3], args[4], tonumber(args[5])
  local file = io.open(args[6], "r")
  said = file:read("*a")
  file:close()
  count = 0
  wrk.method = "POST"
  wrk.headers["authorization"] = "Bearer " .. token
  wrk.headers["x-sentry-auth"] = "Sentry sentry_key=" .. token
  wrk.headers["content-type"] = form == "lines" and "application/x-ndjson" or "application/json"
end

local function one()
  count = count + 1
  local key = string.format("%s-%d-%d", run, mine, count)
  local person = string.format("person-%d", (count * 7919 + mine * 104729) % people)
  local id = string.format("%s%04x%016x", string.sub(run, 1, 12), mine, count)
  return (said:gsub("@KEY@", key):gsub("@PERSON@", person):gsub("@ID@", id):gsub("@N@", count))
end

function request()
  if many == 1 then
    return wrk.format(nil, nil, nil, one())
  end
  local lines = {}
  for nth = 1, many do
    lines[nth] = one()
  end
  return wrk.format(nil, nil, nil, table.concat(lines, "\n"))
end

function done(summary, latency, requests)
  io.write(string.format("\nDONE %d %d %d %d\n", summary.requests, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout, summary.duration))
end
