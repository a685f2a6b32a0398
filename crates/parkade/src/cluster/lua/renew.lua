-- A node lives on. ARGV: node, instance, lease. Answers: 'nobody', 'another'; or 'renewed' and the nodes.
local mine = owner()
if mine ~= 'mine' then return {mine} end
local lived = redis.call('ZSCORE', LEASES, NODE)
if not lived then return {'nobody'} end
redis.call('ZADD', LEASES, now + ARGV[3], NODE)
sweep()
return {'renewed', living()}
