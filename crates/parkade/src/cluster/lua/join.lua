-- A node comes, or is back. ARGV: node, instance, address, lease, '1' if it has been here before in this run.
-- Answers: 'another'; or 'joined', the position in the changes, the nodes, and all calls.
if ARGV[5] == '1' and owner() == 'another' then return {'another'} end
redis.call('HSET', NODES, NODE, INSTANCE .. ' ' .. ARGV[3])
redis.call('ZADD', LEASES, now + ARGV[4], NODE)
sweep()
-- The others see it at once, and not when they renew their leases.
tell('what', 'join', 'park', NODE)
local last = redis.call('XREVRANGE', CHANGES, '+', '-', 'COUNT', 1)
local position = last[1] and last[1][1] or '0-0'
return {'joined', position, living(), redis.call('HGETALL', CALLS)}
