-- SPDX-License-Identifier: MIT
-- Asks for random tasks of a file and prints what load.c prints.

local paths = {}
local headers = { ["X-Bkapi-Authorization"] = os.getenv("BENCH_CREDENTIALS") }

function init(args)
   for line in io.lines(os.getenv("BENCH_TASKS")) do
      local path = wrk.path .. "/task/" .. line:match("%d+") .. "/get_task_states_by_app/"
      paths[#paths + 1] = wrk.format("GET", path, headers)
   end
   math.randomseed(os.time() + tonumber(tostring(paths):match("0x(%x+)"), 16))
end

function request()
   return paths[math.random(#paths)]
end

local first = true
function setup(thread)
   if first then
      print("measuring")
      io.flush()
      first = false
   end
end

function done(summary, latency, requests)
   local e = summary.errors
   print(string.format(
      '{"requests": %d, "errors": %d, "rate": %.1f, "p50_us": %.1f, "p99_us": %.1f, "bytes": %d}',
      summary.requests, e.connect + e.read + e.write + e.status + e.timeout,
      summary.requests / (summary.duration / 1e6), latency:percentile(50), latency:percentile(99), summary.bytes))
end
