-- The ledger's one step, as policies/ledger/core defines it (State.Step), and the
-- read beside it. Nothing is written before all refusals are behind.
--
-- KEYS  1 {f}:l   2 {f}:l:replicas   3 {f}:r:<replica>   4 {f}:h:<replica>
-- ARGV  a flat list, read in order by the functions below (see step.go)
-- Numbers stay below 2^53, which Lua keeps exactly; whole() writes them without
-- an exponent. Only the sum of all batches may grow beyond, and is never counted
-- with here.

local at = 0
local function text() at = at + 1 return ARGV[at] end
local function number() at = at + 1 return tonumber(ARGV[at]) end
local function whole(n) return string.format('%.0f', n) end
local function flag(b) if b then return 1 end return 0 end

local OK, STALE, NEW, BEHIND, OLD = 0, 1, 2, 3, 4
local BEGIN, DECLARE, CALL, SIGNOFF, READ = 0, 1, 2, 3, 4
local REFUSED, MISDATED = -1, -2
local LEASE, FOREVER = 30000, 9007199254740992

local ledger, everyone, me, mine = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local function counter(cell) return '{f}:w:' .. cell end

-- The run is the server's and its replication history's: after a fail-over and
-- back the run_id alone is the same, with other data.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') .. ':' ..
  string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local begun = 'begun ' .. run

local stored = redis.call('HMGET', ledger, 'run', 'mark')
local mark = tonumber(stored[2] or '0')
local clock = redis.call('TIME')
local now = math.max(tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000), mark)
local recovering = stored[1] ~= run

local function reading(cell)
  local v = redis.call('HMGET', counter(cell), 's', 'h')
  return tonumber(v[1] or '0'), tonumber(v[2] or '0')
end

local function read()
  local lapsed, cells = {}, {}
  for _, name in ipairs(redis.call('SMEMBERS', everyone)) do
    if tonumber(redis.call('HGET', '{f}:r:' .. name, 'lease') or '0') < now then
      lapsed[#lapsed + 1] = '{f}:h:' .. name
    end
  end
  for i = 1, number() do
    local cell = text()
    local settled, has = reading(cell)
    local unconfirmed = 0
    if has ~= 0 then
      for _, key in ipairs(lapsed) do
        unconfirmed = unconfirmed + tonumber(redis.call('HGET', key, cell) or '0')
      end
    end
    cells[i] = {settled, has, unconfirmed}
  end
  return {now, flag(recovering), redis.call('HGET', ledger, 'applied') or '0', cells}
end

local kind = number()
if kind == READ then return read() end

local replica, boot, call = text(), text(), number()
local r = redis.call('HMGET', me, 'q', 'b', 'boot', 'run', 'lease')
local lastCall, booked, lease = tonumber(r[1] or '0'), tonumber(r[2] or '0'), tonumber(r[5] or '0')
local hisBoot, hisRun = r[3] or '', r[4] or ''

local function answer(status, renewed, has, grants)
  return {status, now, run, booked, flag(recovering), flag(renewed), has or {}, grants or {}}
end

local function tick()
  if not recovering then redis.call('HSET', ledger, 'mark', whole(now)) end
end

-- give adds to what the replica has of a cell.
local function give(cell, nanos)
  local n = whole(nanos)
  if redis.call('HINCRBY', mine, cell, n) == 0 then redis.call('HDEL', mine, cell) end
  redis.call('HINCRBY', counter(cell), 'h', n)
end

-- replace puts what the replica says it has in the place of what was known.
local function replace()
  for _ = 1, number() do
    local cell, has = text(), number()
    local change = has - tonumber(redis.call('HGET', mine, cell) or '0')
    if change ~= 0 then give(cell, change) end
  end
end

-- endRecovery ends it when every replica whose lease had not lapsed before it has
-- declared all it has, or when one that has waited a lease says so.
local function endRecovery(waited)
  if not recovering then return end
  if not waited then
    for _, name in ipairs(redis.call('SMEMBERS', everyone)) do
      local v = redis.call('HMGET', '{f}:r:' .. name, 'run', 'lease')
      if tonumber(v[2] or '0') >= mark and v[1] ~= run then return end
    end
  end
  redis.call('HSET', ledger, 'run', run)
  recovering = false
end

local function begin()
  redis.call('HSET', me, 'q', whole(call), 'boot', boot, 'run', begun)
  redis.call('SADD', everyone, replica)
  tick()
  return answer(OK, false, redis.call('HGETALL', mine))
end

local function declare()
  local begunRecovering, done = number() == 1, number() == 1
  if hisRun ~= begun or hisBoot ~= boot or (done and begunRecovering and not recovering) then
    return answer(NEW)
  end
  redis.call('HSET', me, 'q', whole(call))
  replace()
  if done then
    redis.call('HSET', me, 'run', run, 'lease', whole(now + LEASE))
    endRecovery(false)
  end
  tick()
  return answer(OK)
end

-- lost opens a recovery in a store that has forgotten acknowledged writes
-- although it is the same run: everybody has to declare anew.
local function lost()
  redis.call('HSET', ledger, 'run', '')
  for _, name in ipairs(redis.call('SMEMBERS', everyone)) do
    redis.call('HSET', '{f}:r:' .. name, 'run', '')
  end
end

-- pick reads a path in the windows in which now lies. It returns nil if the
-- caller's windows are not the store's.
local function pick()
  local path, left, misdated = {}, FOREVER, false
  for i = 1, number() do
    local limit = number()
    local cell, from, to = text(), number(), number()
    local nextCell, nextFrom, nextTo = text(), number(), number()
    local rolled = now >= to
    if rolled then cell, from, to = nextCell, nextFrom, nextTo end
    misdated = misdated or now < from or now >= to
    local settled, has = reading(cell)
    if limit >= 0 then left = math.min(left, limit - settled - has) end
    path[i] = {cell = cell, to = to, rolled = flag(rolled), settled = settled, has = has}
  end
  if misdated then path = nil end
  return path, left
end

local function shown(path)
  local list = {}
  for i, p in ipairs(path) do list[i] = {p.rolled, p.settled, p.has} end
  return list
end

-- draw tries the next draw of an ask. Returns what was granted (nil if it does
-- not fit) and the path (nil if the caller's windows are not the store's).
local function draw()
  local full, comfort, likely, need = number(), number(), number(), number()
  local path, left = pick()
  local nanos = nil
  if not path then return nil, nil end
  if left >= comfort then nanos = full elseif left >= need then nanos = math.min(left, likely) end
  if not nanos then return nil, path end
  for _, p in ipairs(path) do
    if nanos ~= 0 then give(p.cell, nanos) end
    redis.call('HSET', counter(p.cell), 'e', whole(p.to))
    p.has = p.has + nanos
  end
  return nanos, path
end

-- grant gives the first draw of an ask that fits, and steps over the rest.
local function grant()
  local result, tried = nil, {}
  for i = 1, number() do
    if result then
      at = at + 4
      local places = number() -- moves at itself
      at = at + 7 * places
    else
      local nanos, path = draw()
      if not path then
        result = {MISDATED, 0, {}}
      elseif nanos then
        result = {i - 1, nanos, {shown(path)}}
      else
        tried[#tried + 1] = shown(path)
      end
    end
  end
  return result or {REFUSED, 0, tried}
end

local function book(batch)
  local sum = 0
  for _ = 1, number() do
    local cell, cost = text(), number()
    redis.call('HINCRBY', counter(cell), 's', whole(cost))
    sum = sum + cost
  end
  if batch ~= 0 then
    redis.call('HINCRBY', ledger, 'applied', whole(sum))
    redis.call('HSET', me, 'b', whole(batch))
    booked = batch
  end
end

local function usual()
  local answered, waited, batch = number(), number() == 1, number()
  if hisRun ~= run or hisBoot ~= boot then return answer(NEW) end
  if lastCall < answered then
    lost()
    recovering = true
    return answer(BEHIND)
  end
  if batch ~= 0 and batch ~= booked + 1 then return answer(BEHIND) end
  redis.call('HSET', me, 'q', whole(call), 'lease', whole(now + LEASE))
  replace()
  book(batch)
  local renewed = lease < mark
  endRecovery(waited)
  tick()
  local grants = {}
  if not recovering and not renewed then
    for i = 1, number() do grants[i] = grant() end
  end
  return answer(OK, renewed, nil, grants)
end

local function signOff()
  if hisRun ~= run or hisBoot ~= boot or redis.call('HLEN', mine) > 0 then return answer(NEW) end
  redis.call('SREM', everyone, replica)
  redis.call('DEL', me)
  tick()
  return answer(OK)
end

if kind == BEGIN and lastCall > number() and hisBoot ~= boot and hisBoot ~= '' then return answer(OLD) end
if call <= lastCall then return answer(STALE) end
if kind == BEGIN then return begin() end
if kind == DECLARE then return declare() end
if kind == CALL then return usual() end
return signOff()
