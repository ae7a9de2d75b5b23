-- For wrk: posts one prediction again and again, and counts what came of it in each thread. Prints one line of JSON.
-- An answer is good when its status is 200 and the prediction in it has succeeded.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  good = 0
  counts = {}
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.body = args[1]
end

function response(status, headers, body)
  if status == 200 and string.find(body, '"status":"succeeded"', 1, true) then
    good = good + 1
  else
    counts[status] = (counts[status] or 0) + 1
  end
end

function done(summary, latency, requests)
  local good, others = 0, {}
  for _, thread in ipairs(threads) do
    good = good + thread:get("good")
    for status, count in pairs(thread:get("counts")) do
      others[status] = (others[status] or 0) + count
    end
  end
  local parts = {}
  for status, count in pairs(others) do
    table.insert(parts, string.format('"%d": %d', status, count))
  end
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  print(string.format(
    '{"good": %d, "seconds": %f, "p50_us": %d, "p99_us": %d, "errors": %d, "others": {%s}}',
    good, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), errors, table.concat(parts, ", ")
  ))
end
