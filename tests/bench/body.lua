-- What wrk sends: a JSON body whose prompt is another one each time, so that no cache can answer.
--   wrk -s body.lua URL -- PATH BODY HEADER=VALUE ...     "NUMBER" in the body is replaced

local count, before, after = 0, "", ""

function init(args)
  wrk.method = "POST"
  wrk.path = args[1]
  before, after = args[2]:match("^(.*)NUMBER(.*)$")
  wrk.headers["Content-Type"] = "application/json"
  for i = 3, #args do
    local name, value = args[i]:match("^([^=]*)=(.*)$")
    wrk.headers[name] = value
  end
end

function request()
  count = count + 1
  return wrk.format(nil, nil, nil, before .. count .. after)
end

-- One line of JSON; times in microseconds.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "duration": %d, "p50": %d, "p99": %d, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
